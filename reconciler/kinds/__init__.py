"""The kinds, as data. `KINDS` is the one list: a new kind is its file, and its name here."""

from reconciler.core.model.kind import in_order
from reconciler.kinds.attribute import ATTRIBUTE
from reconciler.kinds.company import COMPANY
from reconciler.kinds.contact import CONTACT
from reconciler.kinds.tag import TAG

KINDS = in_order((ATTRIBUTE, TAG, COMPANY, CONTACT))
