"""Networks as ONNX graphs: how one runs, and how one that others made becomes a model."""
