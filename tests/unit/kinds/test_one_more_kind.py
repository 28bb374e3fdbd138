"""What one more kind costs: its declaration, its name in the list, its endpoint in the sandbox. No other product file knows of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest

from reconciler.core.model.address import Address
from reconciler.core.model.desired import Pin
from reconciler.core.model.entry import Entry, NullableText
from reconciler.core.model.kind import Field, Identity, Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.route import Listing, Write
from reconciler.core.model.scalars import Name, NotNull, Text, Whole, doc
from reconciler.core.model.spelling import fold
from reconciler.core.plan.scope import Scope
from reconciler.errors import Invalid
from reconciler.kinds import KINDS
from reconciler.sandbox.request import Request, invalid
from reconciler.sandbox.store import Doc
from reconciler.workflow.export import ExportScope, export, exportable, text_of
from tests.conftest import MakeRoute
from tests.desk.collection import Collection, add_collection
from tests.desk.route import Route, changes, lines
from tests.stories.undo.taking_back import notes, plan_back, run, take_back, undo_plan


# ---- all of reconciler/kinds/badge.py
class BadgeEntry(Entry):
    """A badge as people write it."""

    name: Annotated[Name, Field(), doc("The name of the badge.", "billing")]
    state: Annotated[Literal["present", "absent"] | None, NotNull, doc("`absent`: it is deleted if it is there.", "absent")] = None
    colour: Annotated[Text, Field(), doc("The colour of its label.", "red")] = ""
    weight: Annotated[Whole, Field(), doc("Where it stands in lists: heavier ones below.", 3)] = 0


BADGE = Kind(
    name="badge",
    section="badges",
    entry=BadgeEntry,
    short="name",
    identities=(Identity("name", fold=fold),),
    listing=Listing("GET /badges", whole=True),
    get="GET /badges/{id}",
    create=Write("POST /badges", carries=None),
    update=(Write("PUT /badges/{id}", carries=None),),
    delete=Write("DELETE /badges/{id}"),
)


# ---- and its name in the list
def test_a_kind_declared_here_is_planned_applied_and_converges(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"]})
    route.kinds = Kinds((*KINDS, BADGE))
    add_collection(route.box, "/badges")
    first = route.manifest("badges: [billing, {name: refunds, colour: red, weight: 3}]\ntags: [vip]\n")
    assert changes(route.document(first)) == ["create badge/billing", "create badge/refunds"]
    assert {outcome.status for outcome in route.converge(first)} == {"applied"}
    assert changes(route.document(first)) == []
    second = route.manifest("badges: [{name: billing, state: absent}, {name: Refunds, weight: 0}]\n")
    assert changes(route.document(second)) == ["update badge/Refunds name='Refunds' weight=0", "delete badge/billing"]
    route.converge(second)
    assert changes(route.document(second)) == []


def export_all(route: Route) -> str:
    """All that is live, as one manifest."""
    with route.session() as session:
        return text_of(export(session, ExportScope(exportable(route.kinds))), "default", Pin("sandbox1", "us"))


def test_its_things_are_exported(make_route: MakeRoute) -> None:
    route = make_route({"segments": [{"name": "Active"}]})
    route.kinds = Kinds((*KINDS, BADGE, SEGMENT))
    add_collection(route.box, "/badges")
    route.converge(route.manifest("badges: [no, {name: refunds, colour: red, weight: 3}]\n"))
    text = export_all(route)
    assert "badges:\n  - 'no'\n  - {name: refunds, colour: red, weight: 3}\n" in text
    assert "segments:\n  - Active\n" in text
    assert lines(route.document(route.manifest(text))) == []


def test_its_entries_are_held_to_the_same_rules(make_route: MakeRoute) -> None:
    route = make_route()
    route.kinds = Kinds((*KINDS, BADGE))
    add_collection(route.box, "/badges")
    route.box.faults.add(method="POST", path="^/badges$", status=400, times=1)
    manifest = route.manifest("badges: [billing]\npolicy: {limits: {creates: 0}}\n")
    assert [r["gate"] for r in route.document(manifest)["refused"]] == ["limits.creates"]
    outcomes = route.converge(route.manifest("badges: [billing]\n"))
    assert [outcome.status for outcome in outcomes] == ["failed"]


# ---- a kind that can only be read: all of reconciler/kinds/segment.py; the sandbox has its endpoint
class SegmentEntry(Entry):
    """A segment, which only people in Intercom can make and change."""

    name: Annotated[Name, Field(), doc("The name of the segment.", "Active")]
    person_type: Annotated[Literal["contact", "user"], Field(), doc("Whom it holds.", "user")] = "user"


SEGMENT = Kind(
    name="segment",
    section="segments",
    entry=SegmentEntry,
    short="name",
    identities=(Identity("name"),),
    # All of them in one answer, under `segments`; there is no route that writes one (API 2.16, GET /segments).
    listing=Listing("GET /segments", items=("segments",), whole=True),
    get="GET /segments/{id}",
)


@pytest.fixture
def reading(make_route: MakeRoute) -> Route:
    route = make_route({"segments": [{"name": "Active"}]}, ledger=True)
    route.kinds = Kinds((*KINDS, SEGMENT))
    return route


def test_a_thing_that_can_only_be_read_is_as_declared(reading: Route) -> None:
    path = reading.manifest("segments: [{name: Active, person_type: user}]\n")
    assert lines(reading.document(path)) == []
    assert reading.converge(path) == []
    assert lines(reading.document(path)) == []
    assert reading.box.writes == []


@pytest.mark.parametrize(
    ("entry", "gate", "said"),
    [
        ("Sleeping", "missing", "no segment 'Sleeping' is live, and Intercom lets no program make one; make it in Intercom"),
        ("{name: Active, person_type: contact}", "fixed", "person_type of this segment cannot become what is declared: Intercom lets no"),
    ],
)
def test_what_can_only_be_read_and_is_otherwise_is_refused_in_a_sentence(entry: str, gate: str, said: str, reading: Route) -> None:
    (refusal,) = reading.document(reading.manifest(f"segments: [{entry}]\ntags: [vip]\n"))["refused"]
    assert refusal["gate"] == gate
    assert said in refusal["message"]


# ---- a kind with a reference: all of reconciler/kinds/collection.py
def _id(value: Any) -> Any:
    """Ids are texts in some answers and numbers in others."""
    return None if value is None else str(value)


class CollectionEntry(Entry):
    """A collection of the help center."""

    name: Annotated[Name, Field(), doc("The name of the collection.", "Billing")]
    state: Annotated[Literal["present", "absent"] | None, NotNull, doc("`absent`: it is deleted if it is there.", "absent")] = None
    description: Annotated[Text, Field(), doc("What people find in it.", "Invoices")] = ""
    parent: Annotated[
        NullableText,
        Field(refers="collection", wire_name="parent_id", read=_id),
        doc("The collection above it, by its name; `null`: there is none.", "Guides"),
    ] = None


COLLECTION = Kind(
    name="collection",
    section="collections",
    entry=CollectionEntry,
    short="name",
    identities=(Identity("name"),),
    listing=Listing("GET /help_center/collections", style="pages", per_page=2, whole=True),
    get="GET /help_center/collections/{id}",
    create=Write("POST /help_center/collections", carries=None),
    update=(Write("PUT /help_center/collections/{id}", carries=None),),
    delete=Write("DELETE /help_center/collections/{id}"),
)


class SectionEntry(Entry):
    """A thing of another kind that leads to a collection."""

    name: Annotated[Name, Field(), doc("The name of the section.", "Refunds")]
    collection: Annotated[
        NullableText, Field(refers="collection", wire_name="collection_id", read=_id), doc("Where it stands, by name.", "Billing")
    ] = None


SECTION = Kind(
    name="section",
    section="sections",
    entry=SectionEntry,
    identities=(Identity("name"),),
    listing=Listing("GET /sections", whole=True),
    create=Write("POST /sections", carries=None),
    update=(Write("PUT /sections/{id}", carries=None),),
)


# ---- and its endpoint in the sandbox, from Intercom's description of help center collections
class HelpCenter(Collection):
    """Collections that may stand in one another; `ignores_parents`: what is sent of their parents is answered with 200 and not taken."""

    ignores_parents = False

    def listing(self, request: Request) -> Doc:
        docs, size, page = super().listing(request)["data"], int(request.query["per_page"]), int(request.query.get("page", 1))
        pages = {"type": "pages", "page": page, "per_page": size, "total_pages": -(-len(docs) // size)}
        return {"type": "list", "data": docs[(page - 1) * size : page * size], "total_count": len(docs), "pages": pages}

    def _written(self, request: Request) -> Request:
        parent = request.body.get("parent_id")
        if parent is not None and request.ws.store.get(self.kind, parent) is None:
            raise invalid("parent_id leads nowhere")
        request.body.pop("parent_id", None) if self.ignores_parents else None
        return request

    def create(self, request: Request) -> Doc:
        request.body.setdefault("parent_id", None)
        return super().create(self._written(request))

    def update(self, request: Request) -> Doc:
        return super().update(self._written(request))

    def delete(self, request: Request) -> Doc:
        if any(doc.get("parent_id") == request.id for doc in request.ws.store.table(self.kind).docs.values()):
            raise invalid("there are collections in it")
        return super().delete(request)


NESTED = "collections: [{name: Accounts, parent: Zoo}, {name: Closing, parent: Accounts}, Zoo]\n"


@pytest.fixture
def center(make_route: MakeRoute) -> Route:
    route = make_route({"tags": ["vip"]}, ledger=True)
    route.kinds = Kinds((*KINDS, SECTION, COLLECTION))
    route.box.routes.extend(HelpCenter("/help_center/collections", "name").routes())
    add_collection(route.box, "/sections")
    return route


def parents(route: Route) -> dict[str, str | None]:
    """The live collections, each with the name of its parent."""
    docs = route.box.ws.store.table("collection:/help_center/collections").docs
    return {doc["name"]: docs[doc["parent_id"]]["name"] if doc.get("parent_id") else None for doc in docs.values()}


def test_what_a_reference_leads_to_is_made_first_and_its_id_is_bound_late(center: Route) -> None:
    path = center.manifest(NESTED)
    plan = center.document(path)
    assert changes(plan) == ["create collection/Zoo", "create collection/Accounts", "create collection/Closing"]
    assert [field["after"] for field in plan["changes"][1]["fields"]] == ["Accounts", "Zoo"]
    assert {outcome.status for outcome in center.converge(path)} == {"applied"}
    assert parents(center) == {"Zoo": None, "Accounts": "Zoo", "Closing": "Accounts"}
    assert lines(center.document(path)) == []


def test_a_reference_is_exported_by_the_key_of_what_it_leads_to(center: Route) -> None:
    center.converge(center.manifest(NESTED + "sections: [{name: Refunds, collection: Zoo}]\n"))
    text = export_all(center)
    assert "collections:\n  - {name: Accounts, parent: Zoo}\n  - {name: Closing, parent: Accounts}\n  - Zoo\n" in text
    assert "sections:\n  - {name: Refunds, collection: Zoo}\n" in text
    assert lines(center.document(center.manifest(text))) == []


def test_a_reference_moves_and_is_cleared_by_the_key_of_the_other(center: Route) -> None:
    center.converge(center.manifest(NESTED))
    path = center.manifest("collections: [Accounts, {name: Closing, parent: Zoo}, Zoo]\n")
    (change,) = center.document(path)["changes"]
    assert [(f["path"], f["before"], f["after"]) for f in change["fields"]] == [("parent", "Accounts", "Zoo")]
    center.converge(path)
    assert parents(center)["Closing"] == "Zoo"
    center.converge(center.manifest("collections: [Accounts, {name: Closing, parent: null}, Zoo]\n"))
    assert parents(center)["Closing"] is None


def test_a_reference_may_lead_to_another_kind_whose_section_is_written_elsewhere(center: Route) -> None:
    center.converge(center.manifest("collections: [Zoo]\nsections: [{name: Refunds, collection: Zoo}]\n"))
    (section,) = center.box.ws.store.table("collection:/sections").docs.values()
    assert section["collection_id"] == center.id_of(Address("collection", "Zoo"))
    assert lines(center.document(center.manifest("collections: [Zoo]\nsections: [{name: Refunds, collection: Zoo}]\n"))) == []


def test_a_part_of_a_plan_has_what_its_references_lead_to(center: Route) -> None:
    plan = center.document(center.manifest(NESTED), scope=Scope(target=("collection/Accounts",)))
    assert changes(plan) == ["create collection/Zoo", "create collection/Accounts"]


def test_a_reference_that_somebody_moved_is_drift(center: Route) -> None:
    path = center.manifest(NESTED)
    center.converge(path)
    table = center.box.ws.store.table("collection:/help_center/collections")
    closing = next(doc for doc in table.docs.values() if doc["name"] == "Closing")
    center.box.ws.store.put("collection:/help_center/collections", closing | {"parent_id": center.id_of(Address("collection", "Zoo"))})
    assert lines(center.document(path)) == ["update collection/Closing parent='Accounts' (drift)"]


def test_the_reply_proves_a_reference_and_what_it_does_not_show_is_not_sent_for_ever(
    center: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    center.converge(center.manifest("collections: [Accounts, Zoo]\n"))
    monkeypatch.setattr(HelpCenter, "ignores_parents", True)
    path = center.manifest("collections: [{name: Accounts, parent: Zoo}, Zoo]\n")
    (outcome,) = center.converge(path)
    assert (outcome.status, outcome.fields) == ("ineffective", ("parent",))
    assert lines(center.document(path)) == ["note ineffective collection/Accounts"]


def test_what_leads_to_a_thing_goes_before_it(center: Route) -> None:
    center.converge(center.manifest(NESTED))
    gone = ", ".join(f"{{name: {name}, state: absent}}" for name in ("Accounts", "Closing", "Zoo"))
    path = center.manifest(f"collections: [{gone}]\n")
    assert changes(center.document(path)) == ["delete collection/Closing", "delete collection/Accounts", "delete collection/Zoo"]
    assert {outcome.status for outcome in center.converge(path)} == {"applied"}
    assert parents(center) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[{name: A, parent: Billin}, Billing]", "collection 'Billin' is not declared; did you mean 'Billing'?"),
        ("[{name: A, parent: B}, {name: B, state: absent}]", "is declared absent"),
        ("[{name: A, parent: A}]", "parent leads back to itself (A > A)"),
        ("[{name: A, parent: B}, {name: B, parent: C}, {name: C, parent: B}]", "parent leads back to itself (B > C > B)"),
    ],
)
def test_a_reference_that_leads_nowhere_or_back_is_invalid(text: str, said: str, center: Route) -> None:
    with pytest.raises(Invalid) as caught:
        center.document(center.manifest(f"collections: {text}\n"))
    assert said in str(caught.value)


def test_a_reference_is_taken_back(center: Route) -> None:
    run(center, collections=["Accounts", "Zoo", "Other"])
    run(center, collections=[{"name": "Accounts", "parent": "Zoo"}, "Zoo", "Other"])
    run(center, collections=[{"name": "Accounts", "parent": "Other"}, "Zoo", "Other"])
    (change,) = plan_back(center)["changes"]
    assert [(f["path"], f["after"]) for f in change["fields"]] == [("parent", "Zoo")]
    assert {outcome.status for outcome in take_back(center)} == {"applied"}
    assert parents(center)["Accounts"] == "Zoo"


def test_what_was_deleted_comes_back_in_its_place(center: Route) -> None:
    run(center, collections=[{"name": "Accounts", "parent": "Zoo"}, "Zoo"])
    run(center, collections=[{"name": "Accounts", "state": "absent"}, {"name": "Zoo", "state": "absent"}])
    assert {outcome.status for outcome in take_back(center)} == {"applied"}
    assert parents(center) == {"Zoo": None, "Accounts": "Zoo"}


def test_what_somebody_put_into_it_since_keeps_it(center: Route) -> None:
    run(center, collections=[{"name": "Accounts", "parent": "Zoo"}, "Zoo"])
    assert changes(undo_plan(center)) == ["delete collection/Accounts", "delete collection/Zoo"]
    zoo = center.id_of(Address("collection", "Zoo"))
    center.box.ws.store.put("collection:/help_center/collections", {"id": "99", "name": "Theirs", "parent_id": zoo, "seq": 99})
    plan = undo_plan(center)
    assert changes(plan) == ["delete collection/Accounts"]
    assert notes(plan, "changed since")["collection/Zoo"] == ["collection/Theirs leads to it, so it stays"]
