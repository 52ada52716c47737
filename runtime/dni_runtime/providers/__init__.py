"""Where a model runs: execution providers, what this machine has of them, and their sessions."""
