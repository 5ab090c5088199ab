"""Benchmarks of keras-optlab against Keras' optimizers, one runnable module per table."""

import sys

from benchmarks.setting import choose_backend

# Every other module of this package is imported later, and so after the choice.
choose_backend(sys.argv[1:])
