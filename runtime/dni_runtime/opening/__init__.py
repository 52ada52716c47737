"""How a model is opened: where it runs, how alpha gets into its weights, and whether that gives the right answers."""
