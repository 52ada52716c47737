"""Networks: which one a checkpoint belongs to, how it is run, and what it does with image sizes."""
