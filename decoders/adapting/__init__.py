"""A decoder that learns while it runs: its rules, what they learn from, and its versions."""
