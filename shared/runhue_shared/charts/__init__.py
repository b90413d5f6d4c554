"""Custom charts: presets in Vega and Vega-Lite, what they ask for, and histograms over steps. Pure: no I/O.

`presets/` holds the ones that every server has, `schemas/` what a spec is checked against.
"""
