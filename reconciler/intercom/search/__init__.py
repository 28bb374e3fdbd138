"""The language of `--where`, and looking things up by it."""
