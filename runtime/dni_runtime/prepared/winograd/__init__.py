"""Wide 3 x 3 convolutions by Winograd's minimal filtering, in the operators that ONNX Runtime has on a CPU."""
