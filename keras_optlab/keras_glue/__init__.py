"""What of Keras is private, or has no type."""
