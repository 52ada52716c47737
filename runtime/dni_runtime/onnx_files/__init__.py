"""ONNX files as strangers make them: read once, checked, with their weights left where they are."""
