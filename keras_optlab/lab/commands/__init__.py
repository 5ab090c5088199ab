"""The subcommands of `optlab`, one module each.

A module has `NAME`, `SUMMARY`, `add_arguments(parser)` and `run(options)`, which returns the exit
code. It imports Keras only in `run`, after the backend was chosen.
"""

from keras_optlab.lab.commands import claims, compare, find_lr, landscape, list, parity, show

COMMANDS = (claims, compare, find_lr, landscape, parity, list, show)
