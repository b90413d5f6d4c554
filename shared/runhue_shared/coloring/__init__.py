"""Key-based colors: which bucket a run is in, what the legend says, and which hues it uses.

Pure functions without I/O, for the coloring worker, the API and the SDK. docs/color.md states every rule.
Settings come from `settings.parse_settings`; `assign.color_runs` colors a population from scratch; the worker
calls the same pieces with what its indexes answer: `stability.stable_domain`, `buckets.numeric_scale`,
`legend.numeric_legend`, `categories.categories_of`, `legend.categorical_legend`.
"""
