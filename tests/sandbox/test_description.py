"""Every answer fits Intercom's own description of API 2.16, where that file lies beside the repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import Sandbox
from tests.sandbox.calling import Caller

DESCRIPTION = Path(__file__).parents[3] / "shared" / "openapi" / "intercom-2.16.strict.json"
pytestmark = pytest.mark.skipif(not DESCRIPTION.exists(), reason="Intercom's description is not part of this repository")

OPTIONS = [{"value": "a"}, {"value": "b"}]
# Each line is one call; {name} is the id that the line with that name made.
RUN: tuple[tuple[str, str, str, object], ...] = (
    ("", "GET", "/me", None),
    ("tag", "POST", "/tags", {"name": "VIP"}),
    ("", "POST", "/tags", {}),
    ("", "POST", "/tags", {"id": "{tag}", "name": "vip"}),
    ("company", "POST", "/companies", {"company_id": "6", "name": "Blue Sun", "plan": "plan1", "monthly_spend": 49.9}),
    ("", "POST", "/companies", {"company_id": "6", "test": 1}),
    ("other", "POST", "/companies", {"company_id": "7"}),
    ("attribute", "POST", "/data_attributes", {"name": "paid", "model": "contact", "data_type": "boolean"}),
    ("", "POST", "/data_attributes", {"name": "paid", "model": "company", "data_type": "boolean"}),
    ("list", "POST", "/data_attributes", {"name": "size", "model": "contact", "data_type": "options", "options": OPTIONS}),
    ("", "PUT", "/data_attributes/{attribute}", {"description": "Pays"}),
    ("", "PUT", "/data_attributes/99999", {"description": "Pays"}),
    ("", "PUT", "/data_attributes/{list}", {"options": "a"}),
    ("contact", "POST", "/contacts", {"external_id": "25", "email": "wash@serenity.example", "custom_attributes": {"paid": True}}),
    ("", "PUT", "/contacts/{contact}", {"avatar": "https://serenity.example/wash.png", "phone": None}),
    ("", "POST", "/contacts", {"external_id": "25"}),
    ("lead", "POST", "/contacts", {"role": "lead", "email": "wash@serenity.example"}),
    ("", "PUT", "/contacts/{contact}", {"name": "Hoban", "owner_id": "991267459"}),
    ("", "PUT", "/contacts/nobody", {"name": "Hoban"}),
    ("", "PUT", "/contacts/{contact}", {"owner_id": "1"}),
    ("", "POST", "/tags", {"name": "vip", "users": [{"id": "{contact}"}]}),
    ("", "POST", "/tags", {"name": "vip", "companies": [{"id": "{company}"}, {"company_id": "unknown"}]}),
    ("", "GET", "/contacts/{contact}/tags", None),
    ("", "POST", "/contacts/{lead}/tags", {"id": "{tag}"}),
    ("", "DELETE", "/contacts/{lead}/tags/{tag}", None),
    ("", "DELETE", "/contacts/{lead}/tags/{tag}", None),
    ("", "POST", "/contacts/{contact}/companies", {"id": "{company}"}),
    ("", "POST", "/contacts/{contact}/companies", {}),
    ("", "POST", "/contacts/{contact}/companies", {"id": "{other}"}),
    ("", "GET", "/contacts/{contact}/companies", None),
    ("", "GET", "/contacts/{contact}/companies?per_page=1", None),
    ("", "GET", "/contacts/{contact}", None),
    ("", "GET", "/contacts/nobody", None),
    ("", "GET", "/contacts/find_by_external_id/25", None),
    ("", "GET", "/contacts", None),
    ("", "GET", "/contacts?per_page=1", None),
    ("", "POST", "/contacts/search", {"query": {"field": "external_id", "operator": "=", "value": "25"}}),
    ("", "POST", "/contacts/search", {"query": {"field": "created_at", "operator": ">", "value": 1}, "pagination": {"per_page": 1}}),
    ("", "POST", "/contacts/search", {"query": {"field": "x", "operator": "=", "value": "25"}}),
    ("", "GET", "/companies/{company}", None),
    ("", "PUT", "/companies/{company}", {"size": 85, "website": "https://bluesun.example", "industry": "Manufacturing"}),
    ("", "GET", "/companies/nothing", None),
    ("", "GET", "/companies?company_id=6", None),
    ("", "GET", "/companies", None),
    ("", "POST", "/companies/list", None),
    ("", "POST", "/companies/list?per_page=1", None),
    ("", "GET", "/companies/scroll", None),
    ("", "GET", "/companies/scroll", None),
    ("", "GET", "/companies/{company}/contacts", None),
    ("", "GET", "/companies/{other}/segments", None),
    ("", "POST", "/companies/{company}/notes", {"body": "Hello"}),
    ("", "GET", "/companies/{company}/notes", None),
    ("", "GET", "/companies/{company}", None),
    ("", "POST", "/contacts/{contact}/notes", {"body": "Hello"}),
    ("", "POST", "/contacts/{contact}/notes", {"body": "Hello", "admin_id": "1"}),
    ("", "GET", "/contacts/{contact}/notes", None),
    ("", "GET", "/contacts/{contact}/segments", None),
    ("", "GET", "/segments", None),
    ("", "GET", "/segments?include_count=true", None),
    ("", "GET", "/segments/nothing", None),
    ("", "GET", "/subscription_types", None),
    ("", "POST", "/contacts/{contact}/subscriptions", {"id": 91, "consent_type": "opt_out"}),
    ("", "GET", "/contacts/{contact}/subscriptions", None),
    ("", "GET", "/contacts/{contact}", None),
    ("", "DELETE", "/contacts/{contact}/subscriptions/91", None),
    ("", "GET", "/data_attributes", None),
    ("", "GET", "/data_attributes?model=conversation", None),
    ("", "GET", "/tags", None),
    ("", "GET", "/tags/{tag}", None),
    ("", "DELETE", "/contacts/{contact}/companies/{other}", None),
    ("", "POST", "/contacts/merge", {"from": "{lead}", "into": "{contact}"}),
    ("", "GET", "/contacts/{lead}", None),
    ("", "GET", "/contacts/{contact}/merge_history", None),
    ("", "GET", "/contacts/{contact}?include_merge_history=true", None),
    ("", "POST", "/contacts/{lead}/unarchive", None),
    ("", "POST", "/contacts/{contact}/archive", None),
    ("", "POST", "/contacts/{contact}/unarchive", None),
    ("", "POST", "/contacts/{contact}/block", None),
    ("", "DELETE", "/contacts/{contact}", None),
    ("", "DELETE", "/companies/{company}", None),
    ("", "DELETE", "/tags/{tag}", None),
)


class Description:
    def __init__(self, path: Path) -> None:
        self.document = json.loads(path.read_text())
        self.used: set[tuple[str, str]] = set()

    def operations(self) -> Iterator[tuple[str, str]]:
        for template, methods in self.document["paths"].items():
            yield from ((method.upper(), template) for method in methods if method in ("get", "post", "put", "delete"))

    def _template(self, method: str, path: str) -> str:
        """The described path with the fewest names in it."""
        pieces = path.split("/")
        fitting = [t for m, t in self.operations() if m == method and self._fits(t.split("/"), pieces)]
        return min(fitting, key=lambda template: template.count("{"))

    @staticmethod
    def _fits(template: list[str], pieces: list[str]) -> bool:
        return len(template) == len(pieces) and all(own[:1] == "{" or own == given for own, given in zip(template, pieces, strict=True))

    def check(self, method: str, path: str, status: int, body: Any) -> None:
        validators = pytest.importorskip("openapi_schema_validator")
        template = self._template(method, path)
        self.used.add((method, template))
        response = self.document["paths"][template][method.lower()]["responses"][str(status)]
        content = response.get("content", {}).get("application/json")
        if content is not None:
            schema = content["schema"] | {"components": self.document["components"]}
            errors = list(validators.OAS30Validator(schema).iter_errors(body))
            assert not errors, (method, path, status, errors[0].json_path, errors[0].message[:300], body)


def _filled(value: Any, ids: dict[str, str]) -> Any:
    text = json.dumps(value)
    for name, id in ids.items():
        text = text.replace("{" + name + "}", id)
    return json.loads(text)


def test_every_answer_fits_the_description(box: Sandbox, call: Caller) -> None:
    description, ids = Description(DESCRIPTION), dict[str, str]()
    for name, method, target, body in RUN:
        path, sent = _filled(target, ids), _filled(body, ids)
        answered = call(method, path, sent)
        assert answered.status < 500, (method, path, answered.raw)
        description.check(method, path.partition("?")[0], answered.status, answered.json)
        if name:
            assert answered.status == 200, (method, path, answered.raw)
            ids[name] = str(answered.json["id"])
    assert set(description.operations()) == description.used
