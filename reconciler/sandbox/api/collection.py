"""A plain collection of things for a kind that Intercom does not have, declared by a test."""

from __future__ import annotations

from reconciler.sandbox.request import Request, invalid, not_found
from reconciler.sandbox.routes import Route, Routes
from reconciler.sandbox.store import Doc


class Collection:
    """List, create, read, update and delete by id; `key` is required and unique."""

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

    def add_to(self, routes: Routes) -> None:
        for route in self.routes():
            routes.add(route)

    @staticmethod
    def _shown(thing: Doc) -> Doc:
        return {name: value for name, value in thing.items() if name != "seq"}

    def _found(self, request: Request) -> Doc:
        thing = request.ws.store.get(self.kind, request.params["id"])
        if thing is None:
            raise not_found()
        return thing

    def listing(self, request: Request) -> Doc:
        return {"type": "list", "data": [self._shown(thing) for thing in request.ws.store.table(self.kind).in_order()]}

    def create(self, request: Request) -> Doc:
        store, value = request.ws.store, request.body.get(self.key)
        if value is None or any(thing[self.key] == value for thing in store.table(self.kind).docs.values()):
            raise invalid(f"{self.key} is missing or taken")
        ids = {"id": str(store.number(self.kind)), "seq": request.ws.number()}
        return self._shown(store.put(self.kind, {**request.body, **ids}))

    def get(self, request: Request) -> Doc:
        return self._shown(self._found(request))

    def update(self, request: Request) -> Doc:
        thing = self._found(request)
        kept = {"id": thing["id"], "seq": thing["seq"]}
        return self._shown(request.ws.store.put(self.kind, {**thing, **request.body, **kept}))

    def delete(self, request: Request) -> Doc:
        thing = self._found(request)
        request.ws.store.drop(self.kind, thing["id"])
        return {"id": thing["id"], "deleted": True}
