"""Reports of a fleet: a comment, a page and lines for programs, beside what is shown; no token and no e-mail is in any of them."""

from __future__ import annotations

import json
import re

import pytest

from tests.desk.fleet import FleetDesk

MANIFEST = "tags: [vip]\ncontacts:\n  - {email: wash@serenity.example, tags: [vip]}\n"


def test_reports_of_what_is_planned_applied_and_known(fleet: FleetDesk) -> None:
    first, second, third = fleet.add(3, contacts=[{"email": "wash@serenity.example", "role": "user"}])
    fleet.patch.setenv("SOURCE_DATE_EPOCH", "1795000000")
    fleet.patch.setenv(f"TOKEN_{third}", "tok-secret-that-is-wrong")
    fleet.fleet(manifest=MANIFEST)
    reports = ("--report", "markdown=fleet.md", "--report", "html=fleet.html", "--report", "text=fleet.txt")
    assert fleet("plan", *reports, "--report", "json=fleet.json", "--format", "ndjson") == 1, fleet.err
    run = re.findall(r"rollout (\S+):", fleet.err)[0]
    document = json.loads((fleet.folder / "fleet.json").read_text())
    assert [json.loads(line) for line in fleet.out.splitlines()] == document["workspaces"]
    comment = (fleet.folder / "fleet.md").read_text()
    assert comment.startswith(f"<!-- reconciler:fleet -->\n### Fleet acme: plan `{run}`\n\n`2026-11-18T")
    assert comment.index("#### Failed: 1 workspace\n\n- **1 workspace** (1): ") < comment.index(
        "2 workspaces: + attach tag/vip to contact\n"
    )
    assert f" — `{third}`\n" in comment
    assert fleet("status", run, "--format", "text") == 0
    assert (fleet.folder / "fleet.txt").read_text() == fleet.out
    for name in ("fleet.md", "fleet.html", "fleet.txt", "fleet.json"):
        text = (fleet.folder / name).read_text()
        assert "tok-" not in text
        assert "wash@" not in text
    # The same of what is carried out, and of what is known then.
    assert fleet("apply", run, *reports, "--format", "html") == 5, fleet.err
    assert (fleet.folder / "fleet.html").read_text() == fleet.out
    assert f"### Fleet acme: apply `{run}`" in (fleet.folder / "fleet.md").read_text()
    assert fleet("status", "--failed", *reports, "--format", "markdown") == 0
    assert (fleet.folder / "fleet.md").read_text() == fleet.out
    assert f"`{third}`" in fleet.out
    assert first not in fleet.out + (fleet.folder / "fleet.html").read_text()
    assert fleet("drift", "--report", "ndjson=drift.ndjson") == 1
    assert [json.loads(line)["app_id"] for line in (fleet.folder / "drift.ndjson").read_text().splitlines()] == [first, second, third]


@pytest.mark.parametrize("verb", ["plan", "apply", "drift", "status", "resume R", "approve R"])
@pytest.mark.parametrize(
    ("report", "told"),
    [("pdf=x", "write FORMAT=FILE, with one of html, json, markdown, ndjson, text"), ("html=no/x.html", "the folder does not exist")],
)
def test_a_report_that_cannot_be_written_is_told_before_anything_is_read(verb: str, report: str, told: str, fleet: FleetDesk) -> None:
    assert fleet(*verb.split(), "--report", report) == 64
    assert told in fleet.err
