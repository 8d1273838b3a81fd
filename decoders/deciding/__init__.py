"""From probabilities to decisions: of cued trials, of a speller, and where nobody gives a cue."""
