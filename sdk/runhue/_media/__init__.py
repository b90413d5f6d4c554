"""Media types: what can be logged beside numbers, strings and lists. `media` is the interface they fill."""
