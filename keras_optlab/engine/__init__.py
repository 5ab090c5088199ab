"""The engine that runs formulas: plans, passes, steps, storage and state."""
