"""Plan-then-apply for Intercom: YAML in Git is what the workspace should have."""

__version__ = "0.1.0"
