"""Other people's programs: what a file has to be for each of them, and how old the readers are that still take it."""
