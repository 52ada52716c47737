"""How an image is cut for a network, and what that takes; told before anything runs."""
