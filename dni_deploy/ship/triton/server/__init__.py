"""A real tritonserver: found, started, watched, stopped."""
