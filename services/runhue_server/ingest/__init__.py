"""Accepts batches: durable in the inbox before it answers."""
