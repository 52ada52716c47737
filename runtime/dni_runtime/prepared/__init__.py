"""The way to run on a CPU: weights blended in the layout that ONNX Runtime wants, kept on disk and in memory."""
