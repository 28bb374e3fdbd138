"""What one more kind costs: its declaration, its name in the list, its endpoint in the sandbox. No other product file knows of it."""

from __future__ import annotations

from typing import Annotated, Literal

from reconciler.core.model.entry import Entry
from reconciler.core.model.kind import Field, Identity, Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.route import Listing, Write
from reconciler.core.model.scalars import Name, NotNull, Text, Whole, doc
from reconciler.core.model.spelling import fold
from reconciler.kinds import KINDS
from tests.conftest import MakeRoute
from tests.desk.collection import add_collection
from tests.desk.route import changes


# ---- all of reconciler/kinds/topic.py
class TopicEntry(Entry):
    """A topic as people write it."""

    name: Annotated[Name, Field(), doc("The name of the topic.", "billing")]
    state: Annotated[Literal["present", "absent"] | None, NotNull, doc("`absent`: it is deleted if it is there.", "absent")] = None
    colour: Annotated[Text, Field(), doc("The colour of its label.", "red")] = ""
    weight: Annotated[Whole, Field(), doc("Where it stands in lists: heavier ones below.", 3)] = 0


TOPIC = Kind(
    name="topic",
    section="topics",
    entry=TopicEntry,
    short="name",
    identities=(Identity("name", fold=fold),),
    listing=Listing("GET /topics", whole=True),
    get="GET /topics/{id}",
    create=Write("POST /topics", carries=None),
    update=(Write("PUT /topics/{id}", carries=None),),
    delete=Write("DELETE /topics/{id}"),
)


# ---- and its name in the list
def test_a_kind_declared_here_is_planned_applied_and_converges(route: MakeRoute) -> None:
    told = route({"tags": ["vip"]})
    told.kinds = Kinds((*KINDS, TOPIC))
    add_collection(told.box, "/topics")
    first = told.manifest("topics: [billing, {name: refunds, colour: red, weight: 3}]\ntags: [vip]\n")
    assert changes(told.document(first)) == ["create topic/billing", "create topic/refunds"]
    assert {outcome.status for outcome in told.converge(first)} == {"applied"}
    assert changes(told.document(first)) == []
    second = told.manifest("topics: [{name: billing, state: absent}, {name: Refunds, weight: 0}]\n")
    assert changes(told.document(second)) == ["update topic/Refunds name='Refunds' weight=0", "delete topic/billing"]
    told.converge(second)
    assert changes(told.document(second)) == []


def test_its_entries_are_held_to_the_same_rules(route: MakeRoute) -> None:
    told = route()
    told.kinds = Kinds((*KINDS, TOPIC))
    add_collection(told.box, "/topics")
    told.box.faults.add(method="POST", path="^/topics$", status=400, times=1)
    manifest = told.manifest("topics: [billing]\npolicy: {limits: {creates: 0}}\n")
    assert [r["gate"] for r in told.document(manifest)["refused"]] == ["limits.creates"]
    outcomes = told.converge(told.manifest("topics: [billing]\n"))
    assert [outcome.status for outcome in outcomes] == ["failed"]
