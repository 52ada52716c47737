"""The way to run on a GPU: weights and images stay there, and an image shape that comes back is one launch."""
