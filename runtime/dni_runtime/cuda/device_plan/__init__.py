"""What a GPU runs instead of an alpha-input model: a head that fills one buffer, and a body that reads it."""
