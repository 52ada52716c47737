"""Networks: which one a checkpoint belongs to, what it does with image sizes, and its graph."""
