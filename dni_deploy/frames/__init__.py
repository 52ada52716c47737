"""Many frames, each with an alpha of its own: resumable, on this machine or over a Ray cluster."""
