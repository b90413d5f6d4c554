"""Runhue: log from a training script, color runs by any metric or config key."""

from runhue._version import __version__

__all__ = ["__version__"]
