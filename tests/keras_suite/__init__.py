"""Keras' own tests, run with the optimizers and schedules of this package.

`run.py` runs them, in processes that load `plugin.py`; `swap.py` replaces the built-ins by our
classes, and `verdict.py` decides which failures count.
"""
