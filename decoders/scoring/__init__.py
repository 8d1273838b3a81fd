"""How good decoded is, and how sure that is."""
