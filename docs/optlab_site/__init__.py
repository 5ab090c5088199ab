"""What the documentation site adds to Sphinx: pages made from the classes, and equations."""
