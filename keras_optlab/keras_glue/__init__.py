"""Access to Keras' private parts, and types that Keras lacks."""
