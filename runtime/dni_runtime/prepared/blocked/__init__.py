"""What is faster computed in the blocks of channels that ONNX Runtime has for convolutions, and how it is written."""
