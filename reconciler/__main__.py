"""`python -m reconciler`: the command line without its script."""

from reconciler.cli import main

main()
