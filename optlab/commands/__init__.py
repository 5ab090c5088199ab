"""The commands of `optlab`, one module each.

A command imports Keras and the lab when it runs, by `start_keras` or `start_lab`.
"""
