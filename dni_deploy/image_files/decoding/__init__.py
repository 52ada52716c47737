"""Pixels of each kind of file, exactly as they were written, or a sentence on why not."""
