"""PNG files by their chunks: what Pillow does not look at, or has no pixels for."""
