"""The memory: every run, and for every write the intent before it and the outcome after it; no e-mail stands in it in clear."""

from reconciler.ledger.errors import LedgerUnusable
from reconciler.ledger.ledger import Claim, Known, Ledger, RunHead, Settlement

__all__ = ["Claim", "Known", "Ledger", "LedgerUnusable", "RunHead", "Settlement"]
