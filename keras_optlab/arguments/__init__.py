"""Declarative constructors: arguments, domains, hyperparameters, and the base of schedules."""
