"""Keras' own tests, run with the optimizers and schedules of this package.

`run.py` runs them, in processes that load `plugin.py`; `swap.py` puts our classes where the
built-ins are, and `verdict.py` decides which failures count.
"""
