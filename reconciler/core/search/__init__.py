"""The language of `--where`: text → conditions → the query of a search, or a filter of what was read."""
