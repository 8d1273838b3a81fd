"""Arrays in, arrays out: filters, matrices, fits. Knows neither features nor models."""
