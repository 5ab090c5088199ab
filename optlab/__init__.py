"""The `optlab` command: the lab of keras-optlab in a terminal.

It is a package outside `keras_optlab`, because importing that imports Keras and a backend. Help,
completion and wrong options need no backend, and `--backend` is read before Keras is imported.
"""
