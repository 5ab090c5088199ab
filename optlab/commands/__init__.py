"""The commands of `optlab`, one module each.

A command imports Keras and the lab when it runs, by `start_keras`, and not when it is declared.
"""
