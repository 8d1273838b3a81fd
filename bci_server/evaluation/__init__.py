"""How good a decoder is on recordings, by the code that runs live.

`evaluate` runs a model over recordings, and `tally` and `speech_tally` score what was said beside
what was meant. `leave_out` takes one session or person out after another, by the `groups` that
recordings belong to; `compare` holds two models against each other, and `leaderboard` many.
"""
