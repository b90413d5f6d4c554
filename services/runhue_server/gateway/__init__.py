"""Speaks the wandb client's wire: its requests become our events and go the same way (docs/gateway.md)."""
