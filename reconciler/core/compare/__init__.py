"""The comparison: desired, live and recorded side by side, and what separates them. Pure."""
