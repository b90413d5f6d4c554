"""What every HTTP service shares: problem details, keys at the door, health and metrics routes."""
