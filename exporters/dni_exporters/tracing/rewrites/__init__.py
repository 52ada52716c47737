"""Parts of known networks that PyTorch's exporter cannot follow, in other words that compute the same."""
