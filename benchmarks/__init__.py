"""Measures keras-optlab next to Keras' own optimizers, one runnable module a table."""

import sys

from benchmarks.setting import choose_backend

# All modules of this package come after this one, and so after the choice.
choose_backend(sys.argv[1:])
