"""Endpoints of the sandbox for a kind that a test declares and Intercom does not have."""

from __future__ import annotations

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.request import Request, invalid, require
from reconciler.sandbox.routes import Route
from reconciler.sandbox.store import Doc


class Collection:
    """Lists, creates, reads, changes and deletes things by id. `key` names their required, unique field."""

    def __init__(self, path: str, key: str) -> None:
        self.path, self.key = path.rstrip("/"), key
        self.kind = "collection:" + self.path

    def routes(self) -> list[Route]:
        one = self.path + "/{id}"
        return [
            Route("GET", self.path, self.listing),
            Route("POST", self.path, self.create),
            Route("GET", one, self.get),
            Route("PUT", one, self.update),
            Route("DELETE", one, self.delete),
        ]

    @staticmethod
    def _show(thing: Doc) -> Doc:
        return {name: value for name, value in thing.items() if name != "seq"}

    def listing(self, request: Request) -> Doc:
        return {"type": "list", "data": [self._show(thing) for thing in request.ws.store.table(self.kind).in_order()]}

    def create(self, request: Request) -> Doc:
        store, value = request.ws.store, request.body.get(self.key)
        if value is None or any(thing[self.key] == value for thing in store.table(self.kind).docs.values()):
            raise invalid(f"{self.key} is missing or taken")
        return self._show(store.put(self.kind, request.body | {"id": str(store.number(self.kind)), "seq": request.ws.number()}))

    def get(self, request: Request) -> Doc:
        return self._show(require(request.ws, self.kind, request.id))

    def update(self, request: Request) -> Doc:
        thing = require(request.ws, self.kind, request.id)
        return self._show(request.ws.store.put(self.kind, thing | request.body | {"id": thing["id"], "seq": thing["seq"]}))

    def delete(self, request: Request) -> Doc:
        thing = require(request.ws, self.kind, request.id)
        request.ws.store.drop(self.kind, thing["id"])
        return {"id": thing["id"], "deleted": True}


def add_collection(box: Sandbox, path: str, key: str = "name") -> None:
    box.routes.extend(Collection(path, key).routes())
