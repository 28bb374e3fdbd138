"""Engines: what starts and stops the jobs of a fleet."""
