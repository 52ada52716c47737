"""Networks that look at averages over the whole image: measured tile by tile, then held while the tiles run."""
