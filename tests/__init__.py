"""The tests, by what they test: see "Where does my test go?" in CONTRIBUTING.md."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
