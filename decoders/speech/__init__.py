"""Speech: from probabilities of phonemes to words, and what is needed to learn them."""
