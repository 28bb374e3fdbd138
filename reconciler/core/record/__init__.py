"""What a run leaves in the ledger, as values. Pure."""
