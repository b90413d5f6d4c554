"""Seeded faults against the real stack, and a checker that knows every point that was logged."""
