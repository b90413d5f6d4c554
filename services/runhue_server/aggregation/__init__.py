"""Folds the inbox into history, summaries and metrics."""
