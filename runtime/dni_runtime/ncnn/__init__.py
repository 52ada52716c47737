"""The way to run in ncnn: a network as ncnn has it, its weights blended in that order, a net for each alpha in use."""
