"""get and api, as typed: what they print, what they refuse, and that what is read is shown as it comes."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from reconciler.cli import cli
from reconciler.cli.fields import as_query, read_fields
from reconciler.cli.running import run
from reconciler.core.model.kinds import Kinds
from reconciler.errors import Usage
from reconciler.sandbox.app import Sandbox
from reconciler.workflow.lookup import list_all, read_where, search
from tests.conftest import MakeRoute
from tests.desk.desk import Desk

TOKEN = "dG9rOmFiY2RlZi1vZi1hLXRlc3Q="
NASTY = "\x1b[31mred\x1b[0m\n::error::no\r##[group]x \u202e \x7f \U0001f600 é"
SEED: dict[str, Any] = {
    "app": {"timezone": "America/New_York"},
    "attributes": [
        {"name": "seats", "model": "contact", "data_type": "integer"},
        {"name": "tier", "model": "company", "data_type": "string"},
    ],
    "tags": ["VIP", "trial"],
    "companies": [{"company_id": "6", "name": "Blue Sun"}, {"company_id": "empty"}],
    "contacts": [
        {"external_id": "25", "email": "Hoban@serenity.example", "companies": ["6"], "custom_attributes": {"seats": 9007199254740993}},
        {"external_id": "26", "email": "zoe@acme.com", "name": "Zoe", "tags": ["VIP"]},
        {"role": "lead", "email": "badger@acme.com", "created_at": 1_763_985_600},
    ],
}


@pytest.fixture
def workspace() -> Mapping[str, Any]:
    return {"token": TOKEN}


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.box.seed(SEED)
    return desk


# ── get ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_all_of_a_section_is_listed_and_its_blind_spots_are_told(desk: Desk) -> None:
    ended = desk.ends("get", "tags")
    assert (ended.code, [line.split()[0] for line in ended.out.splitlines()], ended.err) == (0, ["NAME", "VIP", "trial"], "")
    ended = desk.ends("get", "companies", "-o", "json")
    assert [company["company_id"] for company in json.loads(ended.out)] == ["6"]
    assert "companies without users" in ended.err
    ended = desk.ends("get", "contacts", "-o", "ids")
    assert len(ended.ids) == 3
    assert "archived contacts" in ended.err
    assert "last minutes" in ended.err


def test_keys_are_any_identity_in_the_order_given(desk: Desk) -> None:
    live_id = desk.id("contact", external_id="26")
    for key in ("26", "ZOE@acme.com", live_id):
        assert desk.ends("get", "contacts", key, "-o", "ids").ids == [live_id]
    document = json.loads(desk.ends("get", "contacts", "badger@acme.com", "25", "26", "26", "-o", "json").out)
    assert [c["email"] for c in document] == ["badger@acme.com", "Hoban@serenity.example", "zoe@acme.com"]
    assert desk.ends("get", "tags", "vip").out.splitlines()[1].startswith("VIP ")
    assert desk.ends("get", "companies", "empty").code == 0


def test_many_keys_cost_one_search(desk: Desk) -> None:
    desk.box.seed({"contacts": [{"external_id": f"u{n}"} for n in range(100)]})
    desk.box.forget_requests()
    assert len(desk.ends("get", "contacts", *(f"u{n}" for n in range(100)), "-o", "ids").ids) == 100
    assert [(r.method, r.path) for r in desk.box.requests] == [("GET", "/me"), ("POST", "/contacts/search")]


def test_keys_that_nothing_has_are_named_without_the_person(desk: Desk) -> None:
    ended = desk.ends("get", "contacts", "nobody@serenity.example", "25", "search", "-o", "json")
    assert ended.code == 1
    assert [c["external_id"] for c in json.loads(ended.out)] == ["25"]
    assert "not found: n***@serenity.example, search; archived contacts cannot be seen" in ended.err
    assert "nobody" not in ended.err
    assert desk.ends("get", "tags", "nope").err == "error: not found: nope\n"


def test_no_key_asks_for_another_endpoint(desk: Desk) -> None:
    for key in ("", ".", "..", "merge", "find_by_external_id", "a/b", "h***@serenity.example"):
        ended = desk.ends("get", "contacts", "--", key)
        assert ended.code == 1, key
    paths = {r.path for r in desk.box.requests}
    assert {path for path in paths if path.startswith("/contacts/")} <= {
        "/contacts/search", "/contacts/find_by_external_id/merge", "/contacts/find_by_external_id/find_by_external_id",
        "/contacts/find_by_external_id/a%2Fb",
    }  # fmt: skip


def test_a_key_that_was_merged_shows_who_it_is_now(desk: Desk) -> None:
    desk.box.seed({"contacts": [{"id": "0" * 24, "external_id": "old", "merged_into": desk.id("contact", external_id="26")}]})
    ended = desk.ends("get", "contacts", "old", "-o", "ids")
    assert (ended.code, ended.ids) == (0, [desk.id("contact", external_id="26")])
    assert "was merged into" in ended.err


def test_where_finds_and_tells_of_days(desk: Desk) -> None:
    ended = desk.ends("get", "contacts", "--where", "email_domain = acme.com and role = user", "-o", "ids")
    assert (ended.code, ended.ids) == (0, [desk.id("contact", external_id="26")])
    ended = desk.ends("get", "contacts", "--where", "created_at = 2025-11-24", "-o", "ids")
    assert ended.ids == [desk.id("contact", role="lead")]
    assert "whole days in the workspace's time zone (America/New_York)" in ended.err
    assert "archived contacts" in ended.err


def test_where_counts_days_back_from_the_workspaces_today(desk: Desk) -> None:
    today = datetime.fromtimestamp(desk.box.ws.now(), ZoneInfo("America/New_York")).date()
    ago = (today - date(2025, 11, 24)).days
    ended = desk.ends("get", "contacts", "--where", f"created_at = {ago}d ago", "-o", "ids")
    assert ended.ids == [desk.id("contact", role="lead")]
    assert f"{ago}d ago is 2025-11-24" in ended.err


def test_custom_attributes_have_the_type_that_is_live(desk: Desk) -> None:
    ended = desk.ends("get", "contacts", "--where", "custom_attributes.seats >= 9007199254740993", "-o", "ids")
    assert (ended.code, ended.ids) == (0, [desk.id("contact", external_id="25")])
    desk.box.forget_requests()
    for wrong, words in (("seats ~ 9", "is a integer"), ("tier = gold", "no field"), ("seats = many", "whole number")):
        ended = desk.ends("get", "contacts", "--where", f"custom_attributes.{wrong}")
        assert (ended.code, ended.out) == (64, ""), wrong
        assert words in ended.err
    assert {r.path for r in desk.box.requests} == {"/me", "/data_attributes"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("contacts", "--where", "emial = a"),
        ("contacts", "--where", "created_at >= 2020-01-01 and custom_attributes.seats > 1"),
        ("contacts", "--where", "formatted_phone = 1", "--api-version", "2.15"),
        ("contacts", "25", "--where", "role = user"),
        ("tags", "--where", "name = vip"),
        ("companies", "--where", "name = vip"),
        ("people",),
        ("contacts", "--counts"),
        ("attributes", "--counts"),
        ("tags", "--counts", "--format", "yaml"),
        ("tags", "--counts", "-o", "ids"),
        ("tags", "--format", "xml"),
        ("tags", "--format"),
    ],
)
def test_what_can_be_seen_offline_is_64_before_any_call(desk: Desk, arguments: Sequence[str]) -> None:
    ended = desk.ends("get", *arguments)
    assert (ended.code, ended.out, desk.box.requests) == (64, "", [])
    assert len(ended.err.splitlines()) == 1


def test_foreign_text_is_harmless_in_every_form_and_whole_in_json(desk: Desk) -> None:
    desk.box.seed({"contacts": [{"external_id": NASTY.replace("\n", " "), "name": NASTY, "phone": "+15551234567"}]})
    shown = desk.ends("get", "contacts", "--where", "phone ^ +1", "-o", "table").out
    assert len(shown.splitlines()) == 2
    as_json, as_yaml, as_csv = (desk.ends("get", "contacts", "--where", "phone ^ +1", "-o", form).out for form in ("json", "yaml", "csv"))
    assert json.loads(as_json)[0]["name"] == NASTY
    # No manifest holds it, which is told.
    assert NASTY not in yaml.safe_load(as_yaml)[0].values()
    assert "left out: " in desk.ends("get", "contacts", "--where", "phone ^ +1", "-o", "yaml").err
    assert [row["phone"] for row in csv.DictReader(io.StringIO(as_csv))] == ["+15551234567"]
    for out in (shown, as_json, as_yaml, as_csv):
        assert not any(char in out for char in "\x1b\r\x7f\u202e")
        assert "##[" not in out
        assert not any(line.lstrip().startswith("::") for line in out.splitlines())
    assert as_json.isascii()


def test_big_numbers_keep_every_digit(desk: Desk) -> None:
    for form in ("table", "json", "yaml", "csv"):
        assert "9007199254740993" in desk.ends("get", "contacts", "25", "-o", form).out


def test_nothing_is_an_empty_list(desk: Desk) -> None:
    for form, nothing in (("json", []), ("yaml", []), ("ids", None), ("table", None), ("csv", "id,external_id,email,")):
        ended = desk.ends("get", "contacts", "--where", "name = nobody", "-o", form)
        document = yaml.safe_load(ended.out)
        assert (ended.code, document[:21] if form == "csv" else document) == (0, nothing)


def test_o_and_format_are_one(desk: Desk) -> None:
    for form in ("table", "json", "yaml", "csv", "ids"):
        assert desk.ends("get", "tags", "-o", form) == desk.ends("get", "tags", "--format", form)


def test_a_table_has_a_head_whose_columns_stand_above_theirs(desk: Desk) -> None:
    head, first, *_ = desk.ends("get", "companies").out.splitlines()
    assert head.split() == ["COMPANY_ID", "ID", "FIELDS"]
    assert first.index("name: Blue Sun") == head.index("FIELDS")
    assert desk.ends("get", "attributes").out.splitlines()[0].split() == ["NAME", "ID", "FIELDS"]
    assert desk.ends("get", "contacts").out.splitlines()[0].split() == ["KEY", "ID", "FIELDS"]


def test_attributes_are_listed_and_found_by_their_names(desk: Desk) -> None:
    desk.box.seed({"attributes": [{"name": "seats", "model": "company", "data_type": "string"}]})
    assert [(a["name"], a["model"]) for a in json.loads(desk.ends("get", "attributes", "-o", "json").out)] == [
        ("seats", "contact"), ("tier", "company"), ("seats", "company"),
    ]  # fmt: skip
    assert {a["model"] for a in json.loads(desk.ends("get", "attributes", "seats", "-o", "json").out)} == {"contact", "company"}
    ended = desk.ends("get", "attributes", "nope")
    assert (ended.code, ended.out, ended.err) == (1, "", "error: not found: nope\n")


AWKWARD: dict[str, Any] = {
    "tags": ["x ", "no", "1", "1e3", "2020-01-01", "~", "a: b", "- c", "#d", "\u00e9", "'q'", '"q"', "null", "a\u00a0b", "::x"],
    "companies": [{"company_id": "007", "name": "yes", "monthly_spend": 49, "custom_attributes": {"tier": "no"}}],
    "contacts": [
        {"external_id": "007", "name": "1_000", "phone": "+15551234567", "companies": ["007"], "custom_attributes": {"seats": 0}},
        {"role": "lead", "name": "Lead, with a comma"},
        {"email": "kaylee@serenity.example", "name": 'A "quoted" one', "signed_up_at": 1_700_000_000},
    ],
}


def paste(section: str, text: str) -> str:
    return f"workspace: {{app_id: sandbox1}}\n{section}:\n{text}"


@pytest.mark.parametrize("section", ["tags", "attributes", "companies", "contacts"])
def test_what_yaml_prints_stands_in_a_manifest_as_it_is(section: str, desk: Desk) -> None:
    desk.box.seed(AWKWARD)
    text = desk.ends("get", section, "-o", "yaml").out
    if section == "tags":
        # A name that no manifest takes is there with its id, to be renamed or retired.
        assert "name: 'x '" in text
    assert desk("plan", "m.yaml", "--detailed-exitcode", m=paste(section, text)) == 0, (text, desk.out, desk.err)
    one = {"tags": "no", "attributes": "tier", "companies": "007", "contacts": "kaylee@serenity.example"}[section]
    assert desk("plan", "m.yaml", "--detailed-exitcode", m=paste(section, desk.ends("get", section, one, "-o", "yaml").out)) == 0


def test_what_csv_prints_is_a_list_for_a_manifest(desk: Desk) -> None:
    desk.box.seed(AWKWARD)
    for section, keys, left_out in (("companies", (), "id"), ("contacts", ("007", "25", "26"), "id"), ("tags", ("no", "1e3"), "id")):
        desk.write("list.csv", desk.ends("get", section, *keys, "--format", "csv").out)
        manifest = paste(section, f"  - {{from: list.csv, columns: {{{left_out}: null}}}}\n")
        assert desk("plan", "m.yaml", "--detailed-exitcode", m=manifest) == 0, (desk.out, desk.err)
        assert desk("validate", "m.yaml") == 0
        assert f"{section} {len((desk.folder / 'list.csv').read_text().splitlines()) - 1}" in desk.err


def test_uses_are_counted_where_that_is_asked_and_told_what_it_costs(desk: Desk) -> None:
    desk.box.forget_requests()
    ended = desk.ends("get", "tags", "--counts")
    assert ended.out.splitlines()[0].split("  ")[-1].strip() == "CONTENT ITEMS"
    assert [line.split()[:3] for line in ended.out.splitlines()[1:]] == [["VIP", "101", "1"], ["trial", "102", "0"]]
    assert ended.err == "counting the uses of 2 tags: 8 reads, less than a second\n"
    assert len(desk.box.requests) == 2 + 8
    document = json.loads(desk.ends("get", "tags", "--counts", "-o", "json").out)[0]
    assert (document["uses"]["contacts"], document["at_least"]) == (1, ["companies"])
    rows = list(csv.DictReader(io.StringIO(desk.ends("get", "companies", "--counts", "--format", "csv").out)))
    assert [(row["company_id"], row["contacts"]) for row in rows] == [("6", "1")]
    desk.box.faults.add("GET", "^/content/search", status=403, times=None)
    assert desk.ends("get", "tags", "vip", "--counts").out.splitlines()[1].split()[-1] == "?"
    assert json.loads(desk.ends("get", "tags", "vip", "--counts", "-o", "json").out)[0]["uses"]["content items"] is None


def test_rows_come_before_the_last_page_is_read(make_route: MakeRoute) -> None:
    here = make_route({"contacts": [{"external_id": f"u{n}"} for n in range(400)]})
    with here.session() as session:
        here.box.forget_requests()
        for section, wanted in (("contacts", None), ("contacts", read_where("contacts", "role = user", "2.16"))):
            things = search(session, section, wanted)[0] if wanted else list_all(session, section)
            next(things)
            assert len(here.box.requests) == 1
            assert sum(1 for _ in things) == 399
            assert len(here.box.requests) == 3
            here.box.forget_requests()


def test_what_was_read_is_flushed_before_the_next_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.box.seed({"contacts": [{"external_id": f"u{n}"} for n in range(300)]})
    flushed: list[int] = []

    class Stream(io.StringIO):
        def flush(self) -> None:
            flushed.append(self.getvalue().count("\n"))

    monkeypatch.setattr(sys, "stdout", Stream())
    assert run(cli, ["get", "contacts", "-o", "ids"]) == 0
    assert {0, 150, 300, 303} <= set(flushed)


def test_more_companies_than_the_listing_reaches_are_scrolled(make_route: MakeRoute) -> None:
    companies = [{"company_id": f"c{n}"} for n in range(250)]
    here = make_route({"companies": companies, "contacts": [{"external_id": "u", "companies": [c["company_id"] for c in companies]}]})
    kind = here.kinds["company"]
    assert kind.listing
    here.kinds = Kinds(replace(k, listing=replace(kind.listing, most=200)) if k is kind else k for k in here.kinds)
    with here.session() as session:
        assert len([thing.id for thing in list_all(session, "companies")]) == 250
    assert sum(r.path == "/companies/scroll" for r in here.box.requests) == 4


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    (tmp_path / ".reconciler").mkdir()
    with Sandbox(tmp_path / ".reconciler" / "sandbox.db") as box:
        box.seed({"contacts": [{"external_id": f"u{n}", "name": "x" * 500} for n in range(1000)]})
    command = f"set -o pipefail; {Path(sys.executable).with_name('reconciler')} get contacts --sandbox -o json | head -2"
    ended = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 2)
    assert "rror" not in ended.stderr


@pytest.mark.parametrize("form", ["json", "yaml", "table", "ids", "csv"])
def test_a_list_that_cannot_be_read_leaves_nothing_behind(desk: Desk, form: str) -> None:
    desk.box.faults.add("GET", "^/contacts$", status=404, times=None)
    ended = desk.ends("get", "contacts", "-o", form)
    assert (ended.code, ended.out) == (1, "")


# ── api ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_fields_are_the_query_of_a_get_and_the_body_of_a_post(desk: Desk) -> None:
    assert desk.ends("api", "GET", "/companies", "-f", "company_id=6").documents()[0]["name"] == "Blue Sun"
    assert desk.ends("api", "get", "companies?company_id=6").documents()[0]["name"] == "Blue Sun"
    assert desk.ends("api", "POST", "/tags", "-f", "name=beta").documents()[0]["name"] == "beta"
    assert desk.ends("api", "POST", "/contacts", "-f", "external_id=99", "-F", "custom_attributes[seats]=3").code == 0
    made = desk.box.ws.store.table("contact").find("external_id", "99")[0]
    assert made["custom_attributes"] == {"seats": 3}


def test_beside_input_fields_are_the_query_as_in_gh(desk: Desk) -> None:
    desk.box.route("POST", "/echo", lambda request: {"query": request.query, "body": request.body})
    (desk.folder / "body.json").write_text('{"name": "from a file", "big": 9007199254740993}')
    ended = desk.ends("api", "POST", "/echo", "--input", "body.json", "-f", "x=1")
    assert ended.documents() == [{"query": {"x": "1"}, "body": {"name": "from a file", "big": 9007199254740993}}]


def test_i_shows_status_and_headers_before_the_body(desk: Desk) -> None:
    head, _, body = desk.ends("api", "GET", "/tags", "-i").out.partition("\n\n")
    assert head.splitlines()[0] == "HTTP/1.1 200 OK"
    assert "X-RateLimit-Remaining: " in head
    assert json.loads(body)["type"] == "list"


def test_headers_are_shown_only_where_they_are_safe(desk: Desk) -> None:
    desk.box.faults.add("GET", "/tags", headers={"Set-Cookie": "secret=1", "X-Request-Id": "abc"})
    out = desk.ends("api", "GET", "/tags", "-i").out
    assert "secret" not in out
    assert "X-Request-Id: abc" in out


def test_an_error_is_printed_as_it_came_and_ends_with_1(desk: Desk) -> None:
    ended = desk.ends("api", "GET", "/contacts/nobody", "-i")
    assert ended.code == 1
    assert ended.out.startswith("HTTP/1.1 404 Not Found\n")
    assert json.loads(ended.out.partition("\n\n")[2])["errors"][0]["code"] == "not_found"
    assert ended.err.startswith("error: GET ")
    assert "404 not_found: User Not Found" in ended.err


def test_a_reply_without_content_prints_nothing(desk: Desk) -> None:
    tag = desk.ends("get", "tags", "trial", "-o", "ids").ids[0]
    ended = desk.ends("api", "DELETE", f"/tags/{tag}")
    assert (ended.code, ended.out) == (0, "")


PAGED: list[tuple[str, Sequence[str], int]] = [
    ("cursor in the query", ("GET", "/contacts", "-f", "per_page=2"), 7),
    ("cursor in the body", ("POST", "/contacts/search", "--input", "search.json"), 6),
    ("page numbers", ("POST", "/companies/list?per_page=2"), 5),
    ("page numbers of a GET", ("GET", "/companies", "-F", "per_page=2"), 5),
    ("a URL", ("GET", "/contacts/{}/companies?per_page=2"), 5),
    ("a scroll", ("GET", "/companies/scroll"), 5),
    ("one page", ("GET", "/tags"), 2),
]


@pytest.mark.parametrize(("arguments", "count"), [case[1:] for case in PAGED], ids=[case[0] for case in PAGED])
def test_all_pages_are_followed(desk: Desk, arguments: Sequence[str], count: int) -> None:
    more = [{"external_id": f"u{n}", "email": f"u{n}@acme.com"} for n in range(3)]
    names = [f"c{n}" for n in range(4)]
    desk.box.seed({"companies": [{"company_id": name} for name in names]})
    desk.box.seed({"contacts": [*more, {"external_id": "rich", "companies": ["6", *names]}]})
    query = {"field": "role", "operator": "=", "value": "user"}
    (desk.folder / "search.json").write_text(json.dumps({"query": query, "pagination": {"per_page": 2}}))
    method, path, *rest = (argument.format(desk.id("contact", external_id="rich")) for argument in arguments)
    ended = desk.ends("api", method, path, *rest, "--paginate")
    documents = ended.documents()
    ids = [item["id"] for document in documents for item in document.get("data") or document.get("companies") or []]
    assert (ended.code, ended.err) == (0, "")
    assert len(ids) == len(set(ids)) == count
    assert len(documents) > 1 or path == "/tags"


def test_without_paginate_one_page_is_read(desk: Desk) -> None:
    assert len(desk.ends("api", "GET", "/contacts", "-f", "per_page=2").documents()) == 1


def test_a_merge_history_has_a_cursor_of_its_own(desk: Desk) -> None:
    user = desk.id("contact", external_id="26")
    for n in range(3):
        desk.box.seed({"contacts": [{"id": f"{n}" * 24, "role": "lead", "email": "zoe@acme.com"}]})
        assert desk.ends("api", "POST", "/contacts/merge", "-f", f"from={str(n) * 24}", "-f", f"into={user}").code == 0
    documents = desk.ends("api", "GET", f"/contacts/{user}/merge_history?per_page=1", "--paginate").documents()
    assert len({item["source_contact_id"] for document in documents for item in document["data"]}) == 3


def test_a_list_that_goes_round_in_circles_is_an_error(desk: Desk) -> None:
    desk.box.faults.add("GET", "/contacts", times=9, body=b'{"type":"list","data":[],"pages":{"next":{"starting_after":"x"}}}')
    ended = desk.ends("api", "GET", "/contacts", "--paginate")
    assert ended.code == 1
    assert "again and again" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("GET", "https://evil.example/me"), "no other host"),
        (("GET", "//evil.example/me"), "no other host"),
        (("GET", "/contacts/../me"), "cannot stand in a URL"),
        (("GET", "/contacts/%2e%2e/me"), "cannot stand in a URL"),
        (("GET", "/contacts//x"), "cannot stand in a URL"),
        (("GET", "/contacts/a b"), "cannot stand in a URL"),
        (("G3T", "/me"), "capital letters"),
        (("GET", "/me", "-f", "x"), "a value is missing"),
        (("GET", "/me", "-f", "=x"), "KEY=VALUE"),
        (("POST", "/tags", "-f", "a=1", "-f", "a[b]=1"), "another shape"),
        (("POST", "/tags", "-f", "a=1", "-f", "a=2"), "given twice"),
        (("POST", "/tags", "-F", "a=@nowhere"), "cannot be read"),
        (("POST", "/tags", "--input", "nowhere"), "nowhere"),
        (("GET", "/me", "--input", "-"), "has no body"),
        (("POST", "/tags", "-f", "name=x", "--paginate"), "only reads have pages"),
    ],
)
def test_wrong_usage_is_64_and_no_call_is_made(desk: Desk, arguments: Sequence[str], words: str) -> None:
    ended = desk.ends("api", *arguments)
    assert (ended.code, ended.out, desk.box.requests) == (64, "", [])
    assert words in ended.err


@pytest.mark.parametrize(
    ("ci", "arguments", "code"),
    [
        ("true", ("POST", "/tags", "-f", "name=x"), 64),
        ("1", ("DELETE", "/tags/1"), 64),
        ("woodpecker", ("PUT", "/contacts/x"), 64),
        ("true", ("POST", "/tags", "-f", "name=x", "--allow-write"), 0),
        ("true", ("GET", "/tags"), 0),
        ("true", ("POST", "/companies/list"), 0),
        ("false", ("POST", "/tags", "-f", "name=x"), 0),
        ("0", ("POST", "/tags", "-f", "name=x"), 0),
        ("", ("POST", "/tags", "-f", "name=x"), 0),
    ],
)
def test_where_ci_is_set_writing_must_be_allowed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, ci: str, arguments: Sequence[str], code: int
) -> None:
    monkeypatch.setenv("CI", ci)
    ended = desk.ends("api", *arguments)
    assert ended.code == code
    if code:
        assert "--allow-write" in ended.err
        assert desk.box.requests == []


def _folder(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "intercom.yaml").write_text(text)


@pytest.mark.parametrize(
    ("arguments", "prepare", "code", "words"),
    [
        (("--app-id", "other"), None, 3, "refused: workspace: the token is for sandbox1 in us"),
        (("--region", "eu"), None, 3, "refused: workspace: "),
        (("--app-id", "sandbox1", "--region", "us"), None, 0, ""),
        ((), _folder("workspace: {app_id: other}"), 3, "refused: workspace: "),
        ((), _folder("workspace: {app_id: other}\nunknown: [of: it]"), 3, "refused: workspace: "),
        ((), _folder("workspace: {app_id: other}\ntags: ["), 65, "intercom.yaml"),
        ((), _folder("workspace: {app_id: sandbox1}"), 0, ""),
        (("--app-id", "sandbox1"), _folder("workspace: {app_id: other, region: eu}"), 0, ""),
        ((), _folder("services: {web: {image: x}}"), 0, ""),
        ((), _folder("{{ no yaml"), 0, ""),
    ],
)
def test_the_pin_holds_for_lookups_too(
    desk: Desk, arguments: Sequence[str], prepare: Callable[[Path], object] | None, code: int, words: str
) -> None:
    if prepare:
        prepare(desk.folder)
    for verb in (("api", "POST", "/tags", "-f", "name=new"), ("get", "tags")):
        ended = desk.ends(*verb, *arguments)
        assert ended.code == code, ended.err
        assert words in ended.err
    assert bool(desk.box.writes) == (code == 0)


def test_two_pins_in_one_folder_must_be_told_apart(desk: Desk) -> None:
    for name in ("a", "b"):
        (desk.folder / f"{name}.yaml").write_text(f"workspace: {{app_id: {name}}}")
    ended = desk.ends("api", "GET", "/me")
    assert (ended.code, desk.box.requests) == (64, [])
    assert "several workspaces" in ended.err


@pytest.mark.timeout(20)
def test_what_is_called_as_a_manifest_and_is_no_file_has_no_pin(desk: Desk) -> None:
    desk.write("m.yaml", "workspace: {app_id: sandbox1}\ntags: []\n")
    desk.write("folder.yaml/a.yaml", "workspace: {app_id: other}\n")
    desk.write("folder.yaml/b.yaml", "tags: []\n")
    (desk.folder / "empty.yaml").mkdir()
    os.mkfifo(desk.folder / "pipe.yaml")
    assert desk("get", "tags") == 0, desk.err
    assert desk("export") == 0, desk.err
    assert desk("tag", "report") == 0, desk.err
    assert desk("tag", "add", "vip", "--in", "pipe.yaml") == 65
    assert "pipe.yaml: is not a file" in desk.err


def test_the_token_is_in_no_output(desk: Desk) -> None:
    desk.box.route("GET", "/echo", lambda request: {"token": request.token})
    desk.box.route("GET", "/refusal", lambda request: (400, {"type": "error.list", "errors": [{"code": "x", "message": request.token}]}))
    for path in ("/echo", "/refusal"):
        ended = desk.ends("api", "GET", path, "-i")
        assert "***" in ended.out
        assert TOKEN not in ended.out + ended.err


def test_an_answer_is_harmless_and_exact(desk: Desk) -> None:
    desk.box.route("GET", "/nasty", lambda _: {"x": NASTY, "n": 9007199254740993})
    out = desk.ends("api", "GET", "/nasty").out
    assert json.loads(out) == {"x": NASTY, "n": 9007199254740993}
    assert out.isascii()
    assert not any(part in out for part in ("\x1b", "\x7f", "##["))


@pytest.mark.parametrize(
    ("raw", "typed", "tree"),
    [
        (["a=b"], [], {"a": "b"}),
        (["a=1", "b=true"], ["c=1", "d=true", "e=null"], {"a": "1", "b": "true", "c": 1, "d": True, "e": None}),
        ([], ["f=x", "g=-5", "h=1.5"], {"f": "x", "g": -5, "h": "1.5"}),
        ([], ["big=123456789012345678901234567890"], {"big": 123456789012345678901234567890}),
        (["a[b]=x", "a[c][d]=y"], [], {"a": {"b": "x", "c": {"d": "y"}}}),
        (["a[]=x", "a[]=y"], ["a[]=1"], {"a": ["x", "y", 1]}),
        (["a[]"], ["b[]"], {"a": [], "b": []}),
        (["a[][n]=1", "a[][v]=2", "a[][n]=3"], [], {"a": [{"n": "1", "v": "2"}, {"n": "3"}]}),
        (["a[][t][]=1", "a[][t][]=2"], [], {"a": [{"t": ["1", "2"]}]}),
        (["a==b=c", "b="], [], {"a": "=b=c", "b": ""}),
    ],
)
def test_fields_nest_as_in_gh(raw: list[str], typed: list[str], tree: dict[str, Any]) -> None:
    assert read_fields(raw, typed) == tree


def test_a_typed_field_can_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("true")
    assert read_fields([f"a=@{tmp_path}/note.txt"], [f"b=@{tmp_path}/note.txt"]) == {"a": f"@{tmp_path}/note.txt", "b": "true"}


def test_nested_fields_in_a_query(tmp_path: Path) -> None:
    tree = read_fields(["a[b]=x", "c[]=1", "c[]=2"], ["t=true", "n=null", "i=5"])
    assert as_query(tree) == [("a[b]", "x"), ("c[]", "1"), ("c[]", "2"), ("t", "true"), ("n", ""), ("i", "5")]


@pytest.mark.parametrize("key", ["a[", "a]", "[b]=x", "a[b=x", "a[][]=x", "a[b]c=x"])
def test_a_key_that_cannot_be_read_is_refused(key: str) -> None:
    with pytest.raises(Usage):
        read_fields([key], [])


@pytest.mark.parametrize(
    ("path", "message"),
    [("/tags@x", "/t***@x: 404"), ("/@x", "/%40x: 404"), ("/a.b/hoban@s.example", "/a.b/h***@s.example: 404"), ("/tags/7", "/tags/7: 404")],
)
def test_no_host_is_taken_for_a_part_of_an_email(path: str, message: str, desk: Desk) -> None:
    err = desk.ends("api", "GET", path).err
    assert "error: GET 127.0.0.1:" in err
    assert message in err


def test_what_may_be_looked_up_is_said_in_one_line(desk: Desk) -> None:
    assert desk("get") == 64
    (line,) = desk.err.splitlines()
    assert line.endswith("Choose from: attributes, tags, companies, contacts; see reconciler get --help")
