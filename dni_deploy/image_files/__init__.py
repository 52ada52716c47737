"""Image files as arrays, exactly, and back: what Pillow decodes, and the formats where it is not enough."""
