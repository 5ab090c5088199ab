"""The `optlab` command: the lab of keras-optlab in a terminal.

It stands outside `keras_optlab`, whose import brings in Keras and with it a backend: help,
completion and wrong options take no backend, and `--backend` is read before Keras is imported.
"""
