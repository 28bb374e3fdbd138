"""The nouns: addresses, kinds, entries, what is desired, live and recorded, and the values that they hold. Pure."""
