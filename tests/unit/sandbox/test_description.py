"""Every described operation of API 2.16 is there and answers as described, where that description lies beside the repository."""

from __future__ import annotations

from tests.desk.calling import Caller, filled
from tests.referee.description import Description, needs_description
from tests.referee.recording import heard

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


@needs_description
def test_every_answer_fits_the_description(call: Caller) -> None:
    description, ids, used = Description.read(), dict[str, str](), set[str | None]()
    for name, method, target, body in RUN:
        path, sent = filled(target, ids), filled(body, ids)
        answered = call(method, path, sent)
        assert answered.status < 500, (method, path, answered.raw)
        exchange = heard(method, path, answered.status, answered.raw)
        used.add(description.operation(method, exchange.path))
        assert description.violations(exchange) == [], (method, path, answered.raw)
        if name:
            assert answered.status == 200, (method, path, answered.raw)
            ids[name] = str(answered.json["id"])
    assert description.operations == used
