"""What samples become: features, and what a decoder makes of them. Imports devices only.

Here lie the nouns (`stage`, `decoder`, `output`), the path of the samples (`pipeline` with
`blocks`, `events`, `lost_channels`; `gathering` sends recordings down it), and models on disk
(`artifact`).

What a session file names, one file a kind, is in `features`, `models` and `adapting.rules`. Models
are made of what is in `alignment`, `classifying`, `networks`, `numerics`, `onnx`, `rows`, `speech`
and `spiking`. `deciding` makes decisions of what they say; `adapting` lets them learn while they
run. `calibrating` fits them, `training` the networks among them; `scoring` says how good they are.
"""
