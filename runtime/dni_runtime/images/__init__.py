"""Images through a network: converted, padded, cut into tiles, run, joined."""
