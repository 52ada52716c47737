"""Which of the installed engines runs a model fastest: found out once for a model and a size, checked, remembered."""
