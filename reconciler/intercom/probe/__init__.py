"""Asking a real workspace what no description says."""
