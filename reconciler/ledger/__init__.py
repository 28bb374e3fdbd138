"""The ledger: every run, what it planned and what became of it, and what is known of each thing since; no e-mail stands in it in clear."""
