"""Arrays in, arrays out: filters, matrices, fits. Knows no model, and no stage."""
