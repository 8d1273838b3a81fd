"""Rows of features: what their names say they hold, their past, and which belong together."""
