"""The way to run on OpenVINO: weights blended where its compiled network reads them."""
