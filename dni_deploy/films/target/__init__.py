"""What a film becomes: how its pictures are encoded, in parts, and how parts and all else make one file again."""
