"""Sphinx extensions of the documentation site: pages generated from classes, and equations."""
