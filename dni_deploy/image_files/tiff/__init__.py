"""TIFF files: their directories, and files written, for Pillow keeps 8 of 16 bits and no floating-point colours."""
