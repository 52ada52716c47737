"""From the frames of a film to those of the result: decoded, through the network and encoded at once, in parts."""
