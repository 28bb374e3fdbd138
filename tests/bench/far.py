"""An Intercom in a process of its own, which costs the process that is measured nothing but its answers: contacts by number, all alike."""

from __future__ import annotations

import json
import sys
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

import requests

from reconciler.intercom.http.wsgi import WsgiAdapter
from reconciler.sandbox.app import Sandbox

TAGS = 50


@cache
def tag_pairs() -> list[list[int]]:
    """The pairs of tags that contacts have, in turn."""
    rand = Random(1)
    return [sorted(rand.sample(range(TAGS), 2)) for _ in range(1000)]


def tags_of(n: int) -> tuple[str, str]:
    """The names of the two tags of a contact."""
    one, other = tag_pairs()[n % 1000]
    return f"t{one:02}", f"t{other:02}"


class Answers:
    """What is answered, as bytes, from what the sandbox shows of one such contact."""

    def __init__(self) -> None:
        with Sandbox() as box:
            box.seed({"tags": [f"t{n:02}" for n in range(TAGS)], "contacts": [{"external_id": "u0", "name": "Person 0", "tags": ["t00"]}]})
            self.me, self.tags = (_ask(box, "GET", path) for path in ("/me", "/tags"))
            query = {"query": {"field": "external_id", "operator": "IN", "value": ["u0"]}, "pagination": {"per_page": 150}}
            self.page = json.loads(_ask(box, "POST", "/contacts/search", query))
        (contact,) = self.page["data"]
        (tag,) = contact["tags"]["data"]
        ids = [tag["id"] for tag in json.loads(self.tags)["data"]]
        self.links = [json.dumps(tag).replace(tag["id"], live_id) for live_id in ids]
        contact["tags"] |= {"data": "LINKS", "total_count": 2}
        text = json.dumps(contact).replace("%", "%%").replace(contact["id"], "%(live)s").replace('"LINKS"', "[%(links)s]")
        self.contact = text.replace("Person 0", "Person %(n)d").replace('"u0"', '"u%(n)d"')

    def search(self, keys: list[str]) -> bytes:
        """The page that shows the contacts of these external_ids."""
        contacts = []
        for n in (int(key[1:]) for key in keys):
            links = ", ".join(self.links[tag] for tag in tag_pairs()[n % 1000])
            contacts.append(self.contact % {"live": f"{n:024x}", "n": n, "links": links})
        page = json.dumps({**self.page, "data": "CONTACTS", "total_count": len(keys)})
        return page.replace('"CONTACTS"', f"[{', '.join(contacts)}]").encode()


def _ask(box: Sandbox, method: str, path: str, body: Any = None) -> bytes:
    with requests.Session() as session:
        session.mount("http://", WsgiAdapter(box))
        headers = {"Authorization": "Bearer sandbox", "Intercom-Version": "2.16"}
        return session.request(method, f"http://127.0.0.1{path}", json=body, headers=headers).content


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    answers: Answers

    def do_GET(self) -> None:
        self._answer(self.answers.me if self.path == "/me" else self.answers.tags)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(self.answers.search(asked["query"]["value"]))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        for name, value in (("Content-Type", "application/json; charset=utf-8"), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def main() -> None:
    _Handler.answers = Answers()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        # Whoever started it holds the other end.
        sys.stdin.read()


if __name__ == "__main__":
    main()
