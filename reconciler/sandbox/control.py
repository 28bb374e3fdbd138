"""`/_sandbox/…`: a sandbox that runs in another process is handled through these paths."""

from __future__ import annotations

from reconciler.sandbox.box import Box
from reconciler.sandbox.call import Call
from reconciler.sandbox.request import invalid, not_found
from reconciler.sandbox.store import Doc


def answer(box: Box, call: Call) -> Doc:
    """Do what the call asks for. Returns the body of the answer; raises Refusal."""
    name = call.path.removeprefix("/_sandbox/")
    try:
        return _show(box, name) if call.method == "GET" else _change(box, call.method, name, call.body())
    except (TypeError, ValueError) as error:
        raise invalid(str(error)) from error


def _show(box: Box, name: str) -> Doc:
    match name:
        case "faults":
            # `hits`: how many calls met one so far, those that are still delayed included.
            return {"faults": len(box.faults), "hits": sum(fault.hits for fault in box.faults)}
        case "requests":
            return {"requests": [record.as_json() for record in box.requests], "writes": [record.as_json() for record in box.writes]}
        case _:
            raise not_found()


def _change(box: Box, method: str, name: str, body: Doc) -> Doc:
    match method, name:
        case "POST", "faults":
            _add_fault(box, body)
            return {"faults": len(box.faults)}
        case "DELETE", "faults":
            box.faults.clear()
            return {"faults": 0}
        case "DELETE", "requests":
            box.forget_requests()
            return {"requests": []}
        case "POST", "seed":
            box.seed(body)
            return {"seeded": sorted(body)}
        case "POST", "reset":
            box.reset()
            return {"reset": True}
        case "POST", "settings":
            box.settings.change(body)
            return {"settings": vars(box.settings)}
        case _:
            raise not_found()


def _add_fault(box: Box, fields: Doc) -> None:
    if "run" in fields:
        raise ValueError("run is only for faults added in process")
    body = fields.get("body")
    box.faults.add(**fields | {"body": body.encode() if isinstance(body, str) else body})
