"""From recordings to a fitted model: its rows, what was left out, and how sure it may be."""
