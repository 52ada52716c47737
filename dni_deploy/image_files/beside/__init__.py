"""What an image file says beside its pixels: found, made to fit, and otherwise as it was, byte for byte."""
