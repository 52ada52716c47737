"""Image files and folders through a model: which files, where results go, the work, and contact sheets."""
