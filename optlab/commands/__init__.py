"""The commands of `optlab`, one module each.

A command imports Keras and the lab only when it runs, through `start_keras` or `start_lab`.
"""
