"""`/_sandbox/…`: the knobs of a sandbox that runs in another process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from reconciler.sandbox.call import Call, Recorded, Reply
from reconciler.sandbox.faults import Faults
from reconciler.sandbox.request import invalid, not_found
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Settings


class Sandbox(Protocol):
    """What the knobs turn."""

    faults: Faults
    settings: Settings

    @property
    def requests(self) -> list[Recorded]: ...
    @property
    def writes(self) -> list[Recorded]: ...
    def forget_requests(self) -> None: ...
    def seed(self, mapping: Mapping[str, Any]) -> None: ...
    def reset(self) -> None: ...
    def revoke(self, token: str) -> None: ...


def answer(box: Sandbox, call: Call) -> Reply:
    control = CONTROLS.get((call.method, call.path.removeprefix("/_sandbox/")))
    if control is None:
        raise not_found()
    try:
        return Reply.json(200, control(box, call.body()))
    except (TypeError, ValueError) as error:
        raise invalid(str(error)) from error


def _add_fault(box: Sandbox, body: Doc) -> Doc:
    how = dict(body)
    if isinstance(how.get("body"), str):
        how["body"] = how["body"].encode()
    if "run" in how:
        raise ValueError("run is only for faults added in process")
    box.faults.add(**how)
    return {"faults": len(box.faults)}


def _faults(box: Sandbox, body: Doc) -> Doc:
    """How many there are, and how many calls met one so far, those that are still delayed included."""
    return {"faults": len(box.faults), "hits": sum(fault.hits for fault in box.faults)}


def _clear_faults(box: Sandbox, body: Doc) -> Doc:
    box.faults.clear()
    return {"faults": 0}


def _requests(box: Sandbox, body: Doc) -> Doc:
    return {"requests": [record.shown() for record in box.requests], "writes": [record.shown() for record in box.writes]}


def _forget(box: Sandbox, body: Doc) -> Doc:
    box.forget_requests()
    return {"requests": []}


def _seed(box: Sandbox, body: Doc) -> Doc:
    box.seed(body)
    return {"seeded": sorted(body)}


def _reset(box: Sandbox, body: Doc) -> Doc:
    box.reset()
    return {"reset": True}


def _settings(box: Sandbox, body: Doc) -> Doc:
    box.settings.change(body)
    return {"settings": vars(box.settings)}


def _revoke(box: Sandbox, body: Doc) -> Doc:
    box.revoke(str(body["token"]))
    return {"revoked": True}


CONTROLS: dict[tuple[str, str], Callable[[Sandbox, Doc], Any]] = {
    ("POST", "faults"): _add_fault,
    ("GET", "faults"): _faults,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "requests"): _requests,
    ("DELETE", "requests"): _forget,
    ("POST", "seed"): _seed,
    ("POST", "reset"): _reset,
    ("POST", "settings"): _settings,
    ("POST", "revoke"): _revoke,
}
