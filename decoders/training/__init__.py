"""How a network is trained: seeds, early stopping, checkpoints, a worker process, ONNX out.

torch is imported here and in `decoders.networks`, and nowhere else: a running session loads
neither. `recipe`, `journal`, `job` and `parts` import no torch either.
"""
