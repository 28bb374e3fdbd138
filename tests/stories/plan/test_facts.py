"""Facts of `intercom-facts.json`: a plan that rests on one changes with it; without any it takes what is safest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.core.model.facts import Facts
from tests import ROOT
from tests.desk.desk import Desk

LONG = "quarterly-business-review-attendees-of-the-northern-region-2026"


def know(desk: Desk, **facts: Any) -> None:
    """The workspace does so, and the file says it."""
    desk.box.settings.follow(facts)
    head = {"format_version": "1.0", "app_id": "test1", "region": "us", "api_version": "2.16", "asked": "2026-11-30"}
    desk.write("intercom-facts.json", json.dumps({**head, "facts": facts}))


def test_what_the_sandbox_answers_says_nothing_of_another_workspace(desk: Desk) -> None:
    desk.box.settings.change({"app_id": "ecahpwf5"})
    desk.seed(tags=["café"])
    know(desk, name_folding="accents")
    facts = json.loads((desk.folder / "intercom-facts.json").read_text())
    assert (desk.plan(m={"tags": ["cafe"]}), list_notes(desk)) == (2, ["rename tag/cafe"])
    desk.write("intercom-facts.json", json.dumps({**facts, "app_id": "sandbox1"}))
    assert (desk.plan(), list_notes(desk)) == (2, ["create tag/cafe"])


def list_notes(desk: Desk) -> list[str]:
    """Actions, addresses and gates of the plan."""
    saved = desk.saved()
    return [f"{c['action']} {c['address']}" for c in saved["changes"]] + [f"refused {gate}" for gate in desk.gates()]


def test_names_that_differ_by_accents(desk: Desk) -> None:
    desk.seed(tags=["café"])
    desk.box.settings.change({"rewrites": "fold"})
    desk.plan(m={"tags": ["cafe"]})
    assert list_notes(desk) == ["create tag/cafe"]
    assert desk("apply", "plan.json") == 5, "Intercom answered with another one"
    know(desk, name_folding="accents")
    assert desk.plan() == 2
    assert list_notes(desk) == ["rename tag/cafe"]
    assert desk("apply", "plan.json") == 0, desk.out + desk.err
    assert desk.plan() == 0


def test_two_entries_that_are_one_name(desk: Desk) -> None:
    manifest = {"tags": ["cafe", "café"]}
    assert desk.plan(m=manifest) == 2
    know(desk, name_folding="accents")
    assert (desk.plan(), list_notes(desk)[-1]) == (3, "refused twins")


@pytest.mark.parametrize("beyond", ["cut", "refused"])
def test_a_name_that_is_too_long(desk: Desk, beyond: str) -> None:
    know(desk, name_beyond=beyond, name_length=60)
    assert desk.plan(m={"tags": [LONG, "vip"]}) == 3
    assert desk.gates() == ["fixed"]
    assert f"63 characters, and Intercom {'cuts' if beyond == 'cut' else 'refuses'} what is longer than 60" in desk.out
    (desk.folder / "intercom-facts.json").unlink()
    assert desk.plan() == 2
    assert desk("apply", "plan.json") == 5, "as long as nobody knows, the reply tells"


def test_a_name_that_is_longer_than_any_that_was_tried(desk: Desk) -> None:
    know(desk, name_beyond="taken", name_length=60)
    assert desk.plan(m={"tags": [LONG]}) == 2


def test_who_may_share_an_email(desk: Desk) -> None:
    desk.seed(contacts=[{"external_id": "1", "email": "crew@serenity.example"}, {"external_id": "2"}])
    manifest = {"contacts": [{"external_id": "1"}, {"external_id": "2", "email": "crew@serenity.example"}]}
    assert desk.plan(m=manifest) == 2
    know(desk, shared_email="never")
    assert (desk.plan(), list_notes(desk)) == (3, ["update contact/2", "refused taken"])


def test_an_external_id_on_one_side_may_be_enough_to_share_an_email(desk: Desk) -> None:
    desk.seed(contacts=[{"email": "crew@serenity.example"}, {"external_id": "2"}])
    manifest = {"contacts": [{"external_id": "2", "email": "crew@serenity.example"}]}
    # Search finds whoever has it only when the entry is to be created, or that one is declared too.
    manifest["contacts"].append({"id": desk.id("contact", email="crew@serenity.example")})
    assert (desk.plan(m=manifest), desk.gates()) == (3, ["taken"])
    know(desk, shared_email="any_external_id")
    assert desk.plan() == 2
    assert desk("apply", "plan.json") == 0, desk.err


def test_what_the_living_may_share_says_nothing_of_who_is_in_the_archive(desk: Desk) -> None:
    know(desk, shared_email="any_external_id")
    desk.seed(contacts=[{"external_id": "1", "email": "crew@serenity.example"}, {"external_id": "2"}])
    manifest = {"contacts": [{"external_id": "1", "state": "archived"}, {"external_id": "2", "email": "crew@serenity.example"}]}
    assert (desk.plan(m=manifest), desk.gates()) == (3, ["taken"])


@pytest.mark.parametrize("other", ["a b", "a-b "])
def test_names_that_are_surely_two(desk: Desk, other: str) -> None:
    desk.seed(tags=["a-b", other], companies=[{"company_id": "6"}, {"company_id": "7"}])
    entries = [{"company_id": key, "tags": ["a-b"]} for key in ("6", "7")]
    desk.plan(m={"tags": ["a-b"], "companies": entries})
    careful = desk.saved()["cost"]["calls"]
    know(desk, name_folding="case", name_html="kept", name_blanks="kept", name_beyond="taken", name_length=250)
    desk.plan()
    assert desk.saved()["cost"]["calls"] < careful
    assert desk("apply", "plan.json") == 0, desk.err


def test_names_that_nobody_asked_about_are_not_surely_two(desk: Desk) -> None:
    desk.seed(tags=["vip", "ｖｉｐ"], companies=[{"company_id": "6"}, {"company_id": "7"}])
    manifest = {"tags": ["vip"], "companies": [{"company_id": key, "tags": ["vip"]} for key in ("6", "7")]}
    desk.plan(m=manifest)
    careful = desk.saved()["cost"]["calls"]
    know(desk, name_folding="case", name_html="kept", name_blanks="kept", name_beyond="taken", name_length=250)
    desk.plan()
    assert desk.saved()["cost"]["calls"] == careful


def test_facts_of_another_version_do_not_count(desk: Desk) -> None:
    know(desk, name_beyond="refused", name_length=60)
    desk.box.settings.change({"name_beyond": "taken"})
    assert desk.plan("--api-version", "2.15", m={"tags": [LONG]}) == 2
    assert "intercom-facts.json is of API version 2.16 and does not count under 2.15" in desk.err


@pytest.mark.parametrize("text", ["", "[]", '{"format_version": "1.0"}', '{"facts": {"name_folding": "never"}}', '{"\\u0000": 1}'])
def test_a_file_that_holds_no_facts(desk: Desk, text: str) -> None:
    desk.write("intercom-facts.json", text)
    assert desk.plan(m={"tags": []}) == 65
    assert desk.err.startswith("error: intercom-facts.json: ")
    assert desk.err.endswith("; make it anew with `reconciler doctor --probe`, or remove it\n")


def test_the_file_beside_the_manifest_comes_first(desk: Desk) -> None:
    know(desk, name_beyond="refused", name_length=60)
    desk.write(".reconciler/intercom-facts.json", (desk.folder / "intercom-facts.json").read_text(encoding="utf-8"))
    (desk.folder / "intercom-facts.json").unlink()
    assert desk.plan(m={"tags": [LONG]}) == 3
    desk.write("there/m.yaml", {"tags": [LONG]})
    desk.write("there/intercom-facts.json", (desk.folder / ".reconciler/intercom-facts.json").read_text().replace("refused", "taken"))
    assert desk("plan", "there", "--detailed-exitcode") == 2


def test_each_fact_stands_in_the_docs() -> None:
    page = (ROOT / "docs/doctor.md").read_text(encoding="utf-8")
    assert [name for name, fact in Facts.model_fields.items() if f"| `{name}` | {fact.description} |" not in page] == []


def test_the_sandbox_does_as_the_facts_say(desk: Desk) -> None:
    know(desk, name_blanks="trimmed", name_beyond="cut", name_length=10)
    desk.patch.delenv("INTERCOM_BASE_URL")
    assert desk("api", "POST", "/tags", "-f", "name= a long long name", "--sandbox") == 0
    assert json.loads(desk.out)["name"] == "a long lon"
