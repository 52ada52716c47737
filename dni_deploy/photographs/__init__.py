"""`dni run` on image files and folders: which files, where results go, the work, and its contact sheet."""
