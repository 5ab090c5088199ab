"""Hooks into Keras' training loops and files, installed once an optimizer needs them."""
