"""Conversations: nobody declares them; they carry tags, which a merge can move. Of one only its id is read, and its tags."""

from reconciler.core.model.entry import Entry
from reconciler.core.model.kind import Identity, Kind
from reconciler.core.model.route import LinkKind, Write
from reconciler.kinds.company import read_tags


class ConversationEntry(Entry):
    """Nobody writes one."""


# Both calls need the id of an admin, in whose name they are made (API 2.16, POST and DELETE /conversations/{conversation_id}/tags).
# There is no call for many.
CONVERSATION = Kind(
    name="conversation",
    section="conversations",
    entry=ConversationEntry,
    identities=(Identity("id"),),
    get="GET /conversations/{id}",
    links=(
        LinkKind(
            source="conversation",
            target="tag",
            field="tags",
            attach=Write("POST /conversations/{source}/tags", {"id": "{target}", "admin_id": "{actor}"}),
            detach=Write("DELETE /conversations/{source}/tags/{target}", {"admin_id": "{actor}"}),
            read_embedded=read_tags,
            lost_source="Conversation not found",
        ),
    ),
)
