"""What speech is made of: phonemes, and how words are pronounced."""
