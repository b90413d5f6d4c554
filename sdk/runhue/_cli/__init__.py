"""The commands of `runhue` that need no server installed."""
