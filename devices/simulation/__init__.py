"""What simulated devices are made of: sources, tuning, intents, and the stream they share."""
