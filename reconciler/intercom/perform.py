"""Perform: make the calls of a job, and read in the reply what became of it. The reply to a write is the proof of the write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, LinkChange, ThingChange
from reconciler.core.model.desired import Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.model.paths import field_at, live_value
from reconciler.core.model.route import LinkKind, Listing
from reconciler.core.plan.calls import Call, Job, Ref, rewrites
from reconciler.core.plan.order import Step
from reconciler.errors import IntercomError, unforeseen
from reconciler.intercom import routes
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import CallError, HttpError, NoAnswer
from reconciler.intercom.http.limiter import seconds
from reconciler.intercom.http.request import Reply, Request
from reconciler.intercom.people import of_one
from reconciler.intercom.prove import Another, Bearers, Ids, Names, called

# Intercom archives a deleted company some time later; how much later is not documented.
SETTLE = 30.0
LOOK_EVERY = 1.0


@dataclass(eq=False)
class _Failed(Exception):
    """A job that ended early, with what became of it."""

    status: Status
    reason: str
    request_id: str | None = None
    # The id of an archived thing that has the value which was sent.
    stranger: str | None = None
    # Whether it stops all that follows.
    fatal: bool = False
    # Whether nobody knows what became of it.
    lost: bool = False
    # Whether Intercom said that the thing was deleted.
    deleted: bool = False


@dataclass
class Performer:
    """Makes calls for one plan. `resources` say who a created thing must turn out to be, `known` are the ids of all that was live when it
    was made; `sleep` takes seconds, `stranger` says whom an earlier run saw to be somebody else than an address means."""

    client: Client
    kinds: Kinds
    steps: Sequence[Step]
    resources: Mapping[Address, Resource]
    known: Ids
    sleep: Callable[[float], object] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    stranger: Callable[[Address, str], bool] = lambda address, live_id: False

    def __post_init__(self) -> None:
        self._bearers = Bearers(self.known)
        self._names = Names()

    def perform(self, job: Job, ids: Ids) -> Sequence[Outcome]:
        """What became of every step that the job covers. A failed call is an outcome, never an exception."""
        change = self.steps[job.covers[0]].change
        try:
            if isinstance(change, LinkChange):
                return self._link(job, change, ids)
            return [self._thing(job, change, ids)]
        except _Failed as end:
            return self._ended(job, end)
        except Another as hit:
            return self._ended(job, _Failed(Status.FAILED if hit.sent else Status.SKIPPED, hit.reason, lost=hit.lost))
        except CallError as error:
            if self.client.stop.is_set() and isinstance(error, NoAnswer) and not error.maybe_done:
                return self._ended(job, _Failed(Status.SKIPPED, "not started: the run was stopped"))
            return self._ended(job, _failure(error))
        except IntercomError as error:
            return self._ended(job, _Failed(Status.FAILED, str(error)))
        except Exception as error:
            # Whether a call went out is not known: in the ledger it is one whose answer was lost.
            return self._ended(job, _Failed(Status.FAILED, unforeseen(error), lost=True))

    def _ended(self, job: Job, end: _Failed) -> Sequence[Outcome]:
        told = partial(Outcome, request_id=end.request_id, fatal=end.fatal, lost=end.lost, deleted=end.deleted, stranger=end.stranger)
        return [told(i, self.steps[i].change, end.status, end.reason) for i in job.covers]

    def _request(self, call: Call, ids: Ids) -> Request:
        values = {name: _bound(value, ids) for name, value in call.values.items() if not isinstance(value, Ref) or value.address in ids}
        return routes.request(call.route, values, _bound(call.body, ids), repeatable=call.repeatable)

    def _thing(self, job: Job, change: ThingChange, ids: Ids) -> Outcome:
        kind = self.kinds[change.address.kind]
        live_id = change.id
        hidden: list[str] = []
        met, here = False, None
        for call in job.calls:
            began, asked = self.monotonic(), self._request(call, ids)
            try:
                reply = self.client.send(asked)
            except HttpError as error:
                return self._no(kind, job, change, ids, error)
            live_id, unshown, here = self._proved(kind, change, call, asked, reply, live_id)
            hidden += unshown
            if change.action is Action.CREATE and here:
                met = self._met(kind, change, here, _older(kind, reply, self.monotonic() - began)) or met
            if live_id and call is not job.calls[-1] and ids.get(change.address) != live_id:
                ids = {**ids, change.address: live_id}
        done = self._done(job, change, live_id, hidden, here, reason="existed already" if met else "")
        if here and kind.identities[0].field in hidden:
            done = replace(done, shown_as=here.key)
        return replace(done, met=met, settling=change.action is Action.DELETE and kind.loss.settles and not hidden)

    def _met(self, kind: Kind, change: ThingChange, here: Live, older: bool) -> bool:
        """Whether a create was answered with what somebody else made meanwhile. Raises Another for a thing that the entry does not mean."""
        if not self._bearers.takes(change.address, here.id):
            raise Another(f"Intercom made nothing: it takes this for another {called(kind, here)}, which the plan does not show here")
        # What a whole list did not have is new, whatever its name became; of others only the identity can say.
        if (older or not kind.whole) and not self._is_meant(kind, change, here):
            which = "which was there before" if older else "which is not the one meant"
            raise Another(f"Intercom answered with another {called(kind, here)}, {which}", lost=not older)
        return older or self._bearers.knew(kind.name, here.id) is not None

    def _done(
        self, job: Job, change: ThingChange, live_id: str | None, hidden: Sequence[str], here: Live | None, *, reason: str = ""
    ) -> Outcome:
        if hidden:
            text = f"Intercom answered 200 and does not show {', '.join(hidden)}"
            return Outcome(job.covers[0], change, Status.INEFFECTIVE, text, live_id, fields=tuple(hidden), seen=here)
        return Outcome(job.covers[0], change, Status.APPLIED, reason, live_id)

    def _no(self, kind: Kind, job: Job, change: ThingChange, ids: Ids, error: HttpError) -> Outcome:
        """A refused call: perhaps the thing is there already, or gone already."""
        if error.gone and change.action in (Action.DELETE, Action.ARCHIVE):
            return Outcome(job.covers[0], change, Status.APPLIED, "was gone already", change.id)
        if error.gone and change.action is Action.UNARCHIVE:
            return self._deleted(job, change, ids, error)
        if error.status == 409 and change.action is Action.CREATE and kind.conflict and (found := kind.conflict.holder(error.said)):
            return self._exists(kind, job, change, *found, error)
        raise error

    def _deleted(self, job: Job, change: ThingChange, ids: Ids, error: HttpError) -> Outcome:
        """Who could not be brought back was deleted for good, and is made anew only where that is written."""
        if job.otherwise:
            anew = replace(change, action=Action.CREATE, id=None)
            made = self._thing(replace(job, calls=job.otherwise, otherwise=()), anew, ids)
            return replace(made, change=change, reason=made.reason or "was deleted in Intercom, and is made anew", anew=True)
        text = f"was deleted in Intercom ({error.message or error.status}): it cannot come back; write `recreate: true` to make it anew"
        raise _Failed(Status.FAILED, text, error.request_id, deleted=True)

    def _exists(self, kind: Kind, job: Job, change: ThingChange, live_id: str, archived: bool, error: HttpError) -> Outcome:
        """A create met somebody. It is taken only if that is who the entry means: the 409 may have matched by another value."""
        if archived and not change.returns:
            text = f"an archived {kind.name} (id {live_id}) has this identity; write `state: present` to bring it back"
            raise _Failed(Status.FAILED, text, error.request_id)
        other = f"another {kind.name} (id {live_id}) holds one of its unique values and is not the one meant"
        if archived and self.stranger(change.address, live_id):
            text = f"{other}: it was brought back from the archive once to see that, and is left alone now: {error.message}"
            raise _Failed(Status.FAILED, text, error.request_id, live_id)
        if archived:
            self._bring_back(kind, live_id, error)
        here = self._read(kind, live_id)
        if here is None:
            text = f"the {kind.name} that is in the way (id {live_id}) cannot be read: it is archived, merged or deleted; plan again"
            raise _Failed(Status.FAILED, f"{text}: {error.message}", error.request_id)
        if not self._is_meant(kind, change, here) or not self._bearers.takes(change.address, here.id):
            left = self._put_back(kind, live_id) if archived else ""
            raise _Failed(Status.FAILED, f"{other}{left}: {error.message}", error.request_id, live_id if archived else None)
        hidden: list[str] = []
        for call in rewrites(kind, change, here, self.client.version):
            asked = self._request(call, {})
            _, unshown, here = self._proved(kind, change, call, asked, self.client.send(asked), live_id)
            hidden += unshown
        done = self._done(job, change, live_id, hidden, here, reason="brought back from the archive" if archived else "existed already")
        return replace(done, met=True)

    def _bring_back(self, kind: Kind, live_id: str, first: HttpError) -> None:
        assert kind.archive is not None
        try:
            self.client.send(routes.request(kind.archive.back.route, {"id": live_id}, kind.archive.back.body))
        except HttpError as error:
            text = f"create: {first.message}; unarchive: {error.message or error.status}"
            raise _Failed(Status.FAILED, text, error.request_id) from None

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
        asked = routes.request(kind.get, {"id": live_id})
        try:
            here = routes.thing(self.client, asked, kind, self.client.send(asked).body)
        except HttpError as error:
            if error.gone:
                return None
            raise
        self.client.known.take(of_one(kind, here))
        return here

    def _is_meant(self, kind: Kind, change: ThingChange, here: Live) -> bool:
        resource = self.resources[change.address]
        identity = kind.identity[resource.by]
        value = here.id if resource.by == "id" else here.fields.get(resource.by)
        return value is not None and identity.fold(str(value)) == identity.fold(resource.key)

    def _proved(
        self, kind: Kind, change: ThingChange, call: Call, asked: Request, reply: Reply, live_id: str | None
    ) -> tuple[str | None, list[str], Live | None]:
        """The id that the reply names, the paths that were sent and that it does not show, and the thing as it shows it, if it must."""
        if change.action in (Action.DELETE, Action.ARCHIVE) or (not call.sent and live_id):
            # Deletions are answered with the id, or with nothing at all (API 2.16, DELETE /tags/{id}).
            if live_id and "id" in reply.body and (shown := routes.id_of(self.client, asked, reply.body)) != live_id:
                raise Another(f"the answer is about another {kind.name} (id {shown}) than the one asked for (id {live_id})")
            if (ended := _ENDED.get(change.action)) and reply.body.get(ended) is False:
                raise _Failed(Status.FAILED, f"Intercom answered 200 and says that it is not {ended}", reply.request_id)
            return live_id, [], None
        here = routes.thing(self.client, asked, kind, reply.body)
        if live_id and here.id != live_id:
            raise Another(f"the answer is about another {called(kind, here)} than the one asked for (id {live_id})")
        fields = ((path, value, field_at(kind, path)) for path, value in call.sent.items())
        return here.id, [path for path, value, field in fields if not field.same(live_value(here, path), value)], here

    def _link(self, job: Job, change: LinkChange, ids: Ids) -> Sequence[Outcome]:
        link = self.kinds.links[change.link]
        for call in job.calls:
            asked = self._request(call, ids)
            try:
                with self._names.turn(call.by_name):
                    reply = self.client.send(asked)
                    self._hit(link, change, call, asked, reply, ids)
            except HttpError as error:
                return self._ended(job, self._link_refused(link, change, error))
        return self._link_outcomes(link, job, ids, asked, reply)

    def _hit(self, link: LinkKind, change: LinkChange, call: Call, asked: Request, reply: Reply, ids: Ids) -> None:
        """Hold the thing that the reply shows against the target that was meant. Raises Another."""
        if not call.by_name and change.action is Action.DETACH and "id" not in reply.body:
            return
        meant, shown = change.target_id or ids[change.target], routes.id_of(self.client, asked, reply.body)
        if shown == meant:
            if call.by_name:
                self._names.sure(call.by_name)
            return
        kind = self.kinds[link.target]
        here = routes.thing(self.client, asked, kind, reply.body)
        new = "" if self._bearers.knew(kind.name, shown) else ", which was not there when this was planned"
        text = f"Intercom took another {called(kind, here)}{new}, for the {kind.name} meant (id {meant})"
        if call.by_name:
            self._names.wrong(call.by_name, text)
        raise Another(text)

    def _link_refused(self, link: LinkKind, change: LinkChange, error: HttpError) -> _Failed:
        if error.gone and link.lost_source and error.said == link.lost_source:
            return _Failed(Status.SKIPPED, f"the {link.source} is archived, merged or deleted: {error.message}", error.request_id)
        if error.gone and change.action is Action.DETACH:
            return _Failed(Status.APPLIED, "was gone already", error.request_id)
        return _failure(error)

    def _link_outcomes(self, link: LinkKind, job: Job, ids: Ids, asked: Request, reply: Reply) -> Sequence[Outcome]:
        """What the reply says of each source: that it is linked now, or not any more; where it speaks of none, of all the same."""
        array = job.items or next((key for key, value in (job.calls[-1].body or {}).items() if isinstance(value, list)), "")
        # Since 2.16 POST /tags skips ids that do not exist and lists what it did; before, its answer was the tag alone.
        if not array or self.client.version < "2.16":
            return [Outcome(i, self.steps[i].change, Status.APPLIED) for i in job.covers]
        listed = self._sources(array, asked, reply)
        return [self._link_outcome(link, i, ids, listed, reply) for i in job.covers]

    def _sources(self, array: str, asked: Request, reply: Reply) -> Mapping[str, bool]:
        """Whether each source that a reply lists has the tag now. Raises BadAnswer for a list that cannot be read."""
        rows = routes.items(self.client, asked, Listing("", (array,)), reply)
        if not all(isinstance(row.get("tagged"), bool) for row in rows):
            raise routes.bad(self.client, asked, f"the list {array!r} does not say of each whether it is tagged")
        return {routes.id_of(self.client, asked, row): row["tagged"] for row in rows}

    def _link_outcome(self, link: LinkKind, step: int, ids: Ids, listed: Mapping[str, bool], reply: Reply) -> Outcome:
        change = self.steps[step].change
        assert isinstance(change, LinkChange)
        tagged = listed.get(change.id or ids[change.address])
        if tagged is None:
            text = f"Intercom did not list the {link.source}: it is archived, merged or deleted"
            return Outcome(step, change, Status.SKIPPED, text, request_id=reply.request_id)
        if tagged is not (change.action is Action.ATTACH):
            text = "Intercom answered 200 and does not show the link"
            return Outcome(step, change, Status.INEFFECTIVE, text, request_id=reply.request_id, fields=(link.field,))
        return Outcome(step, change, Status.APPLIED)

    def settle(self, outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
        """Look again at what was deleted and goes only later, for up to 30 seconds in all; what is still there is named."""
        ends = self.monotonic() + SETTLE
        waiting = [o for o in outcomes if o.settling]
        while waiting:
            waiting = [o for o in waiting if self._still_there(o)]
            if not waiting or self.monotonic() >= ends:
                break
            if self.sleep(LOOK_EVERY):
                break
        yield from (replace(o, reason="being archived: Intercom still shows it", settling=False) for o in waiting)

    def _still_there(self, outcome: Outcome) -> bool:
        kind = self.kinds[outcome.change.address.kind]
        try:
            return outcome.id is not None and self._read(kind, outcome.id) is not None
        except Exception:
            # Of what cannot be looked at nobody can say that it is gone.
            return True


# What the answer to an end says of the thing (API 2.16, POST /contacts/{id}/archive, DELETE /companies/{id}).
_ENDED = {Action.ARCHIVE: "archived", Action.DELETE: "deleted"}


def _failure(error: CallError) -> _Failed:
    """A call that failed, as an outcome. A token that is no longer accepted ends the run."""
    if isinstance(error, HttpError):
        said = error.message or error.code
        reason = f"{error.status} {said}".strip()
        return _Failed(Status.FAILED, reason, error.request_id, fatal=error.status == 401, lost=error.maybe_done and error.status >= 500)
    fatal = isinstance(error, NoAnswer) and not error.maybe_done
    return _Failed(Status.FAILED, str(error), fatal=fatal, lost=error.maybe_done)


# A new thing is this much older than the answer that shows it, in seconds, and no more: times are whole, and the call took its own.
FRESH = 5.0


def _older(kind: Kind, reply: Reply, took: float) -> bool:
    """Whether what a create shows was there before it: an upsert met what somebody else made meanwhile. `took` is in seconds."""
    born, date = reply.body.get(kind.born) if kind.born else None, seconds(reply.headers.get("Date"))
    return isinstance(born, (int, float)) and date is not None and born < date - took - FRESH


def _bound(value: Any, ids: Ids) -> Any:
    """A value or a body with its Refs replaced by ids."""
    if isinstance(value, Ref):
        return ids[value.address]
    if isinstance(value, Mapping):
        return {key: _bound(item, ids) for key, item in value.items()}
    if isinstance(value, list):
        return [_bound(item, ids) for item in value]
    return value
