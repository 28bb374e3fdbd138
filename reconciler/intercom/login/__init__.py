"""Access tokens: how one is granted, and where it is kept."""
