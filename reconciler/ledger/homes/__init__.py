"""Where a ledger lives: a file, a PostgreSQL database, or a ref of a git remote."""
