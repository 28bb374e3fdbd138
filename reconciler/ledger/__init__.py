"""The memory: every run, what it planned and what became of it, and what is known of each thing since; no e-mail stands in it in clear."""

from reconciler.ledger.errors import LedgerUnusable, NotAFile
from reconciler.ledger.home import LockLost, Waiting
from reconciler.ledger.images import Images, Kept
from reconciler.ledger.ledger import KEPT, LOST, Claim, Ledger, Planned, RunHead, Settlement, run_id
from reconciler.ledger.mend import set_aside
from reconciler.ledger.tables import MET, STRANGER

__all__ = [
    "KEPT",
    "LOST",
    "MET",
    "Claim",
    "Images",
    "Kept",
    "Ledger",
    "LedgerUnusable",
    "LockLost",
    "NotAFile",
    "Planned",
    "RunHead",
    "STRANGER",
    "Settlement",
    "Waiting",
    "run_id",
    "set_aside",
]
