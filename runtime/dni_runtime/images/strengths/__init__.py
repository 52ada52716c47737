"""A strength for each pixel: at which alphas the network runs for it, and what becomes of the results."""
