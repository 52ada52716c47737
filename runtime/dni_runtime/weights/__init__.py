"""How the weights of an alpha-input model follow from alpha, and models pinned to one."""
