"""What the classifiers of `decoders.models` share: scores of classes, and their probabilities."""
