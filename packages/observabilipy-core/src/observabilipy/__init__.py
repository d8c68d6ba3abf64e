"""observabilipy."""
