"""Feature maps: one file per family; `shoal.attention.registry` makes them by name."""
