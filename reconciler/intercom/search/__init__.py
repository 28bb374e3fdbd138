"""Looking things up: by their keys, and by a search."""
