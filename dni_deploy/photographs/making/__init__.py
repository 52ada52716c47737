"""Results, once it is decided which: the steps of one, and how those of many overlap."""
