"""What a network gets that nobody sees: pixels beyond an image's ends, and those under its transparent parts."""
