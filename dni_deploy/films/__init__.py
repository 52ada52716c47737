"""Films: every frame through a model, at a strength that may move; all else in the file stays as it is."""
