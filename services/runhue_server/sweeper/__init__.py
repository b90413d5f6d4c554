"""Finds work that nobody was woken for, runs that fell silent, and rows that nobody needs any more."""
