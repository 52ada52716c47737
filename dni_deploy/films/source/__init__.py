"""What is in the file of a film, and its frames as they are decoded."""
