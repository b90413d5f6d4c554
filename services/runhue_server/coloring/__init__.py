"""Recomputes bucket boundaries and publishes run colors."""
