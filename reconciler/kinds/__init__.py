"""The kinds, as data. `KINDS` is the one list: a new kind is its file, and its name here; beside them stand those that nobody declares."""

from reconciler.core.model.kinds import Kinds
from reconciler.kinds.attribute import ATTRIBUTE
from reconciler.kinds.company import COMPANY
from reconciler.kinds.contact import CONTACT
from reconciler.kinds.conversation import CONVERSATION
from reconciler.kinds.rule import RULES
from reconciler.kinds.tag import TAG

KINDS = Kinds((ATTRIBUTE, TAG, COMPANY, CONTACT), beside=(CONVERSATION,), ruling=RULES)
