"""Constructors as tables: arguments, their domains, hyperparameters, and the base of schedules."""
