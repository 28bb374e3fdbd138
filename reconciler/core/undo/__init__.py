"""What was there before a run, and the plan that brings it back. Pure."""
