"""What the `optlab` command does: training comparisons, parity with Keras, reports."""
