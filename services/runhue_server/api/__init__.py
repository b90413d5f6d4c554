"""Serves projects, runs, history, colors and the live stream."""
