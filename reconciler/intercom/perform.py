"""Perform: make the calls of a job, and read in the reply what became of it. The reply to a write is the proof of the write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from reconciler.core.compare.archived import list_names, list_others, say_asleep, say_in_the_way, say_other
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Change, LinkChange, ThingChange
from reconciler.core.model.desired import Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.model.paths import field_at, live_value
from reconciler.core.model.reference import with_keys
from reconciler.core.model.route import LinkKind, Listing
from reconciler.core.plan.calls import Call, Job, Ref, rewrites
from reconciler.core.plan.order import Step
from reconciler.errors import IntercomError, unforeseen
from reconciler.intercom import routes
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import CallError, HttpError, NoAnswer
from reconciler.intercom.http.request import Reply, Request
from reconciler.intercom.http.window import seconds
from reconciler.intercom.people import of_one
from reconciler.intercom.prove import Another, Bearers, Ids, Names, describe

# Seconds. Intercom archives a deleted company some time later; how much later is not documented.
SETTLE = 30.0
LOOK_EVERY = 1.0
# A new thing is this much older than the answer that shows it, in seconds, and no more: times are whole, and the call took its own.
FRESH = 5.0
# What the answer to an end says of the thing (API 2.16, POST /contacts/{id}/archive, DELETE /companies/{id}).
_ENDS = {Action.ARCHIVE: "archived", Action.DELETE: "deleted"}


class _End(Exception):
    """A job ended early, and this became of all its steps."""

    def __init__(
        self,
        status: Status,
        reason: str,
        request_id: str | None = None,
        holder: str | None = None,
        *,
        fatal: bool = False,
        lost: bool = False,
        deleted: bool = False,
    ) -> None:
        # Whether the holder of a value was brought back from the archive, and is somebody else.
        self.woken = False
        # What became of one of the steps, by its position and its change.
        self.outcome: Callable[[int, Change], Outcome] = lambda step, change: Outcome(
            step, change, status, reason, request_id=request_id, fatal=fatal, lost=lost, deleted=deleted, holder=holder, woken=self.woken
        )
        super().__init__(reason)


def _end_of(error: Exception, *, stopped: bool) -> _End:
    """What becomes of a job whose calls raised this."""
    match error:
        case _End():
            return error
        case Another():
            return _End(Status.FAILED if error.sent else Status.SKIPPED, error.reason, lost=error.lost)
        case HttpError():
            reason = f"{error.status} {error.message or error.code}".strip()
            # A token that is no longer accepted ends the run.
            return _End(Status.FAILED, reason, error.request_id, fatal=error.status == 401, lost=error.maybe_done and error.status >= 500)
        case NoAnswer() if stopped and not error.maybe_done:
            return _End(Status.SKIPPED, "not started: the run was stopped")
        case CallError():
            return _End(Status.FAILED, str(error), fatal=isinstance(error, NoAnswer) and not error.maybe_done, lost=error.maybe_done)
        case IntercomError():
            return _End(Status.FAILED, str(error))
    # Whether a call went out is not known: in the ledger it is one whose answer was lost.
    return _End(Status.FAILED, unforeseen(error), lost=True)


@dataclass(frozen=True, slots=True)
class _Proof:
    """What the reply to a call proves."""

    # The id of the thing, None where neither the call nor the reply names one.
    id: str | None
    # The paths of what was sent and is not shown.
    missing: Sequence[str] = ()
    # The thing as it is shown, where it must be.
    here: Live | None = None


@dataclass
class Performer:
    """Makes the calls of one plan."""

    # What makes the calls.
    client: Client
    # All kinds.
    kinds: Kinds
    # The plan's steps; jobs cover them by their positions.
    steps: Sequence[Step]
    # Who a created thing must turn out to be.
    resources: Mapping[Address, Resource]
    # The ids of all that was live when the plan was made.
    live_ids: Ids
    # Waits for so many seconds; true where a stop cut it short.
    sleep: Callable[[float], object] = time.sleep
    # Seconds on a clock that is never set.
    monotonic: Callable[[], float] = time.monotonic
    # Whether an earlier run saw that an id is somebody else than the address means.
    is_stranger: Callable[[Address, str], bool] = lambda address, live_id: False
    # Whether an archived id may be brought back to see whether it has one of these names.
    may_be_woken: Callable[[str, str, Sequence[Address]], bool] = lambda kind, live_id, names: True

    def __post_init__(self) -> None:
        self._bearers = Bearers(self.live_ids)
        self._names = Names()

    def perform(self, job: Job, ids: Ids) -> Sequence[Outcome]:
        """What became of every step that the job covers. A failed call is an outcome, never an exception."""
        change = self.steps[job.covers[0]].change
        try:
            return self._link(job, change, ids) if isinstance(change, LinkChange) else [self._thing(job, change, ids)]
        except Exception as error:
            end, astray = _end_of(error, stopped=self.client.stop.is_set()), isinstance(error, Another) and error.astray
            return [replace(end.outcome(i, self.steps[i].change), astray=astray) for i in job.covers]

    def _request(self, call: Call, ids: Ids) -> Request:
        values = {name: _bind(value, ids) for name, value in call.values.items() if not isinstance(value, Ref) or value.address in ids}
        return routes.request(call.route, values, _bind(call.body, ids), repeatable=call.repeatable)

    def _thing(self, job: Job, change: ThingChange, ids: Ids) -> Outcome:
        kind, proof = self.kinds[change.address.kind], _Proof(change.id)
        missing: list[str] = []
        was_there = False
        for call in job.calls:
            began, request = self.monotonic(), self._request(call, ids)
            try:
                reply = self.client.send(request)
            except HttpError as error:
                return self._settle_refusal(kind, job, change, ids, error)
            proof = self._prove(kind, change, call, request, reply, proof.id)
            missing += proof.missing
            if change.action is Action.CREATE and proof.here:
                was_there = self._is_met(kind, change, proof.here, _is_older(kind, reply, self.monotonic() - began)) or was_there
            if proof.id and call is not job.calls[-1] and ids.get(change.address) != proof.id:
                ids = {**ids, change.address: proof.id}
        outcome = replace(_outcome(job, change, replace(proof, missing=missing), "existed already" if was_there else ""), met=was_there)
        if proof.here and kind.identities[0].field in missing:
            outcome = replace(outcome, shown_as=proof.here.key)
        return replace(outcome, settling=change.action is Action.DELETE and kind.loss.settles and not missing)

    def _is_met(self, kind: Kind, change: ThingChange, here: Live, older: bool) -> bool:
        """Whether a create was answered with what somebody else made meanwhile. Raises Another for a thing that the entry does not mean."""
        if not self._bearers.takes(change.address, here.id):
            raise Another(f"Intercom made nothing: it takes this for another {describe(kind, here)}, which the plan does not show here")
        # What a whole list did not have is new, whatever its name became; of others only the identity can say.
        if (older or not kind.whole) and not self._is_meant(kind, change, here):
            clause = "which was there before" if older else "which is not the one meant"
            raise Another(f"Intercom answered with another {describe(kind, here)}, {clause}", lost=not older)
        return older or self._bearers.knew(kind.name, here.id) is not None

    def _settle_refusal(self, kind: Kind, job: Job, change: ThingChange, ids: Ids, error: HttpError) -> Outcome:
        """What became of a refused call: perhaps the thing is there already, or gone already."""
        if error.is_gone and change.action in (Action.DELETE, Action.ARCHIVE):
            return _outcome(job, change, _Proof(change.id), "was gone already")
        if error.is_gone and change.action is Action.UNARCHIVE:
            return self._settle_deleted(job, change, ids, error)
        if error.status == 409 and change.action is Action.CREATE and kind.conflict and (other := kind.conflict.holder(error.said)):
            return self._exists(kind, job, change, ids, *other, error)
        if error.status == 409 and kind.conflict and (other := kind.conflict.holder(error.said)) and other[1]:
            raise _End(Status.FAILED, f"{error.status} {error.message or error.code}".strip(), error.request_id, holder=other[0])
        raise error

    def _settle_deleted(self, job: Job, change: ThingChange, ids: Ids, error: HttpError) -> Outcome:
        """Who could not be brought back was deleted for good, and is made anew only where that is written."""
        if job.otherwise:
            anew = replace(change, action=Action.CREATE, id=None)
            outcome = self._thing(replace(job, calls=job.otherwise, otherwise=()), anew, ids)
            return replace(outcome, change=change, reason=outcome.reason or "was deleted in Intercom, and is made anew", anew=True)
        text = f"was deleted in Intercom ({error.message or error.status}): it cannot come back; write `recreate: true` to make it anew"
        raise _End(Status.FAILED, text, error.request_id, deleted=True)

    def _exists(self, kind: Kind, job: Job, change: ThingChange, ids: Ids, live_id: str, archived: bool, error: HttpError) -> Outcome:
        """A create met somebody. It is taken only if that is who the entry means: the 409 may have matched by another value."""

        def fail(text: str, woken: str | None = None) -> NoReturn:
            end = _End(Status.FAILED, text, error.request_id, woken)
            end.woken = woken is not None
            raise end

        if archived:
            self._wake(kind, change, live_id, error)
        here = self._read(kind, live_id)
        if here is None:
            why = "cannot be read: it is archived, merged or deleted; plan again"
            fail(f"the {kind.name} that is in the way (id {live_id}) {why}: {error.message}")
        if not self._is_meant(kind, change, here) or not self._bearers.takes(change.address, here.id):
            failure = self._put_back(kind, live_id) if archived else ""
            fail(f"{say_other(kind, live_id)}{failure}: {error.message}", live_id if archived else None)
        proof, missing = _Proof(live_id), list[str]()
        for call in rewrites(kind, change, here, self.client.version):
            request = self._request(call, ids)
            proof = self._prove(kind, change, call, request, self.client.send(request), live_id)
            missing += proof.missing
        reason = "brought back from the archive" if archived else "existed already"
        return replace(_outcome(job, change, replace(proof, missing=missing), reason), met=True)

    def _wake(self, kind: Kind, change: ThingChange, live_id: str, error: HttpError) -> None:
        """Bring somebody back from the archive to see who it is, where that is wanted and not known. Raises _End where it is not."""
        resource, is_stranger = self.resources[change.address], self.is_stranger(change.address, live_id)
        if not change.returns:
            text = say_in_the_way(kind, resource, live_id, is_stranger=is_stranger)
            raise _End(Status.FAILED, text, error.request_id, holder=live_id)
        if is_stranger:
            once = "it was brought back from the archive once to see that, and is left alone now"
            raise _End(Status.FAILED, f"{say_other(kind, live_id)}: {once}: {error.message}", error.request_id, live_id)
        if list_others(kind, resource) and not self.may_be_woken(kind.name, live_id, list_names(kind, resource)):
            raise _End(Status.FAILED, f"{say_asleep(kind, resource, live_id)}: {error.message}", error.request_id, holder=live_id)
        self._bring_back(kind, live_id, error)

    def _bring_back(self, kind: Kind, live_id: str, first: HttpError) -> None:
        assert kind.archive is not None
        try:
            self.client.send(routes.request(kind.archive.back.route, {"id": live_id}, kind.archive.back.body))
        except HttpError as error:
            text = f"create: {first.message}; unarchive: {error.message or error.status}"
            raise _End(Status.FAILED, text, error.request_id, holder=live_id) from None

    def _put_back(self, kind: Kind, live_id: str) -> str:
        """Archive again who was brought back by mistake; the answer is what to say of it."""
        assert kind.archive is not None
        try:
            self.client.send(routes.request(kind.archive.away.route, {"id": live_id}, kind.archive.away.body))
        except IntercomError as error:
            return f", was brought back from the archive to see that, and could not be archived again ({error}): archive it by hand"
        return ", was brought back from the archive once to see that, and is archived again"

    def _read(self, kind: Kind, live_id: str) -> Live | None:
        assert kind.get is not None
        request = routes.request(kind.get, {"id": live_id})
        try:
            here = routes.thing(self.client, request, kind, self.client.send(request).body)
        except HttpError as error:
            if error.is_gone:
                return None
            raise
        self.client.known.take(of_one(kind, here))
        return here

    def _is_meant(self, kind: Kind, change: ThingChange, here: Live) -> bool:
        resource = self.resources[change.address]
        identity = kind.identity[resource.by]
        value = here.id if resource.by == "id" else here.fields.get(resource.by)
        return value is not None and identity.fold(str(value)) == identity.fold(resource.key)

    def _prove(self, kind: Kind, change: ThingChange, call: Call, request: Request, reply: Reply, live_id: str | None) -> _Proof:
        """What the reply to a call proves of the thing with this id. Raises Another where it is about another thing."""
        if change.action in (Action.DELETE, Action.ARCHIVE) or (not call.sent and live_id):
            # Deletions are answered with the id, or with nothing at all (API 2.16, DELETE /tags/{id}).
            if live_id and "id" in reply.body and (reply_id := routes.id_of(self.client, request, reply.body)) != live_id:
                raise Another(f"the answer is about another {kind.name} (id {reply_id}) than the one asked for (id {live_id})")
            if (end := _ENDS.get(change.action)) and reply.body.get(end) is False:
                raise _End(Status.FAILED, f"Intercom answered 200 and says that it is not {end}", reply.request_id)
            return _Proof(live_id)
        here = with_keys(kind, routes.thing(self.client, request, kind, reply.body), self._bearers.address_of)
        if live_id and here.id != live_id:
            raise Another(f"the answer is about another {describe(kind, here)} than the one asked for (id {live_id})")
        missing = [path for path, value in call.sent.items() if not field_at(kind, path).same(live_value(here, path), value)]
        return _Proof(here.id, missing, here)

    def _link(self, job: Job, change: LinkChange, ids: Ids) -> Sequence[Outcome]:
        link = self.kinds.links[change.link]
        for call in job.calls:
            request = self._request(call, ids)
            try:
                with self._names.turn(call.by_name):
                    reply = self.client.send(request)
                    self._check_target(link, change, call, request, reply, ids, asks=call is not job.calls[-1])
            except HttpError as error:
                if error.is_gone and link.lost_source and error.said == link.lost_source:
                    text = f"the {link.source} is archived, merged or deleted: {error.message}"
                    raise _End(Status.SKIPPED, text, error.request_id) from None
                if error.is_gone and change.action is Action.DETACH:
                    raise _End(Status.APPLIED, "was gone already", error.request_id) from None
                raise
        return self._link_outcomes(link, job, ids, request, reply)

    def _check_target(
        self, link: LinkKind, change: LinkChange, call: Call, request: Request, reply: Reply, ids: Ids, *, asks: bool
    ) -> None:
        """Hold the thing that the reply shows against the target that was meant; `asks`: the call links nothing. Raises Another."""
        if not call.by_name and change.action is Action.DETACH and not change.merges and "id" not in reply.body:
            return
        target_id, reply_id = change.target_id or ids[change.target], routes.id_of(self.client, request, reply.body)
        if reply_id == target_id:
            if call.by_name:
                self._names.set_right(call.by_name)
            return
        kind = self.kinds[link.target]
        here = routes.thing(self.client, request, kind, reply.body)
        new = "" if self._bearers.knew(kind.name, reply_id) else ", which was not there when this was planned"
        if asks and not self._bearers.address_of(kind.name, reply_id):
            new += self._take_back(kind, str(call.body["name"]), here)
        text = f"Intercom took another {describe(kind, here)}{new}, for the {kind.name} meant (id {target_id})"
        if call.by_name:
            self._names.set_wrong(call.by_name, text)
        raise Another(text, astray=call.by_name is not None)

    def _take_back(self, kind: Kind, name: str, here: Live) -> str:
        """Delete what Intercom made of a name that was asked for; the answer is what to say of it. What has the very name that was sent may
        be somebody else's, and so may what is used, or of which nobody can say that it is not."""
        from reconciler.intercom.uses import uses_of

        if kind.identities[0].fold(here.key) == kind.identities[0].fold(name):
            return ""
        try:
            if any(use.number != 0 for use in uses_of(self.client, kind, here.id)):
                return ""
            assert kind.delete is not None
            self.client.send(routes.request(kind.delete.route, {"id": here.id}))
        except IntercomError as error:
            return f" and could not be deleted again ({error}): delete it by hand"
        return ": Intercom made it of that name, and it is deleted again"

    def _link_outcomes(self, link: LinkKind, job: Job, ids: Ids, request: Request, reply: Reply) -> Sequence[Outcome]:
        """What the reply says of each source: that it is linked now, or not any more; where it speaks of none, of all the same."""
        array = job.items or next((key for key, value in (job.calls[-1].body or {}).items() if isinstance(value, list)), "")
        # Since 2.16 POST /tags skips ids that do not exist and lists what it did; before, its answer was the tag alone.
        if not array or self.client.version < "2.16":
            return [Outcome(i, self.steps[i].change, Status.APPLIED) for i in job.covers]
        rows = routes.items(self.client, request, Listing("", (array,)), reply)
        if not all(isinstance(row.get("tagged"), bool) for row in rows):
            raise routes.bad(self.client, request, f"the list {array!r} does not say of each whether it is tagged")
        flags = {routes.id_of(self.client, request, row): row["tagged"] for row in rows}
        return [self._link_outcome(link, i, ids, flags, reply) for i in job.covers]

    def _link_outcome(self, link: LinkKind, step: int, ids: Ids, flags: Mapping[str, bool], reply: Reply) -> Outcome:
        change = self.steps[step].change
        outcome = Outcome(step, change, Status.APPLIED)
        is_tagged = flags.get(change.id or ids[change.address])
        if is_tagged is None:
            text = f"Intercom did not list the {link.source}: it is archived, merged or deleted"
            return replace(outcome, status=Status.SKIPPED, reason=text, request_id=reply.request_id)
        if is_tagged is not (change.action is Action.ATTACH):
            text = "Intercom answered 200 and does not show the link"
            return replace(outcome, status=Status.INEFFECTIVE, reason=text, request_id=reply.request_id, fields=(link.field,))
        return outcome

    def settle(self, outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
        """Look again at what was deleted and goes only later, for up to 30 seconds in all; what is still there is named."""
        ends = self.monotonic() + SETTLE
        waiting = [o for o in outcomes if o.settling]
        while waiting := [o for o in waiting if self._is_there(o)]:
            if self.monotonic() >= ends or self.sleep(LOOK_EVERY):
                break
        yield from (replace(o, reason="being archived: Intercom still shows it", settling=False) for o in waiting)

    def _is_there(self, outcome: Outcome) -> bool:
        kind = self.kinds[outcome.change.address.kind]
        try:
            return outcome.id is not None and self._read(kind, outcome.id) is not None
        except Exception:
            # Of what cannot be looked at nobody can say that it is gone.
            return True


def _outcome(job: Job, change: ThingChange, proof: _Proof, reason: str) -> Outcome:
    """What became of a change whose calls were answered."""
    if proof.missing:
        text = f"Intercom answered 200 and does not show {', '.join(proof.missing)}"
        return Outcome(job.covers[0], change, Status.INEFFECTIVE, text, proof.id, fields=tuple(proof.missing), seen=proof.here)
    return Outcome(job.covers[0], change, Status.APPLIED, reason, proof.id)


def _is_older(kind: Kind, reply: Reply, took: float) -> bool:
    """Whether what a create shows was there before it: an upsert met what somebody else made meanwhile. `took` is in seconds."""
    created_at, date = reply.body.get(kind.born) if kind.born else None, seconds(reply.headers.get("Date"))
    return isinstance(created_at, (int, float)) and date is not None and created_at < date - took - FRESH


def _bind(value: Any, ids: Ids) -> Any:
    """A value or a body with its Refs replaced by ids."""
    if isinstance(value, Ref):
        return ids[value.address]
    if isinstance(value, Mapping):
        return {key: _bind(item, ids) for key, item in value.items()}
    if isinstance(value, list):
        return [_bind(item, ids) for item in value]
    return value
