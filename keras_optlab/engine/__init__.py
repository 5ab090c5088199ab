"""What runs a formula: plans, passes, steps, storage and state."""
