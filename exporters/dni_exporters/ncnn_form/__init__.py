"""The form in which ncnn runs a model: made by pnnx, understood by numbers in place of weights, and checked."""
