"""What is timed."""

NETWORK = "network alone"
FFMPEG = "FFmpeg alone"
HELD = "alpha held"
MOVING = "alpha new at every frame"
BAKED = "alpha baked into the file"
RETURNED = "a network that does nothing"
