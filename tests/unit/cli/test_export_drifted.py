"""`export --drifted`: what live has is written into the manifest, where it drifted; nothing else changes in the files."""

from __future__ import annotations

from typing import Any

import pytest

from tests.desk.desk import Desk

WRITTEN = """\
policy: {links: exact}
tags:
  - vip      # who pays
  - beta
  - {name: gold, owner: growth}
  - {name: old, state: absent}   # since May
attributes:
  - {name: paid, model: company, data_type: boolean}
companies:
  - company_id: '6'        # ours
    name: "Blue Sun"       # as they write it
    custom_attributes: {paid: false}
  - {company_id: '7', name: Red}
contacts:
  - external_id: '25'
    name: Zoe
    tags:
      - vip    # for the trial
      - beta
      - gold
  - {external_id: '26', tags: [vip]}
"""
ACCEPTED = """\
policy: {links: exact}
tags:
  - {name: VIP client, renamed_from: vip}      # who pays
  - {name: gold, owner: growth}
  - {name: old}   # since May
attributes:
  - {name: paid, model: company, data_type: boolean}
companies:
  - company_id: '6'        # ours
    name: "Firefly"       # as they write it
    custom_attributes: {paid: true}
  - {company_id: '7', name: Red}
contacts:
  - external_id: '25'
    name: Zoe
    tags:
      - VIP client    # for the trial
  - {external_id: '26', tags: [VIP client, gold]}
"""


@pytest.fixture
def moved(desk: Desk) -> Desk:
    desk.seed(tags=["old"], contacts=[{"external_id": "25"}, {"external_id": "26"}])
    assert desk("apply", "m.yaml", "--auto-approve", m=WRITTEN) == 0, desk.err
    return desk


def by_hand(desk: Desk) -> None:
    tags = {name: desk.id("tag", name=name) for name in ("vip", "beta", "gold")}
    zoe, wash = desk.id("contact", external_id="25"), desk.id("contact", external_id="26")
    calls: list[tuple[str, ...]] = [
        ("POST", "/tags", "-f", f"id={tags['vip']}", "-f", "name=VIP client"),
        ("POST", "/tags", "-f", "name=old"),
        ("DELETE", f"/tags/{tags['beta']}"),
        ("POST", f"/contacts/{wash}/tags", "-f", f"id={tags['gold']}"),
        ("DELETE", f"/contacts/{zoe}/tags/{tags['gold']}"),
        ("POST", "/companies", "-f", "company_id=6", "-f", "name=Firefly", "-F", "custom_attributes[paid]=true"),
    ]
    for call in calls:
        assert desk("api", *call) == 0, desk.err


def read(desk: Desk) -> str:
    return (desk.folder / "m.yaml").read_text(encoding="utf-8")


def test_what_live_has_is_written_and_every_comment_stays(moved: Desk) -> None:
    by_hand(moved)
    assert moved("export", "-o", "m.yaml", "--drifted") == 0, moved.err
    assert read(moved) == ACCEPTED
    assert "as live has it: company/6: name, custom_attributes.paid\n" in moved.err
    assert moved.err.endswith("changed: m.yaml\n")
    assert moved("plan", "m.yaml", "--detailed-exitcode") == 0, moved.out
    assert moved("drift", "m.yaml") == 0, moved.out
    assert moved("export", "-o", "m.yaml", "--drifted") == 0
    assert moved.err.endswith("nothing is changed\n")
    assert read(moved) == ACCEPTED


def test_what_was_never_applied_stays_as_it_is_written(moved: Desk) -> None:
    moved("api", "POST", "/companies", "-f", "company_id=6", "-f", "name=Firefly")
    text = WRITTEN.replace("name: Red", "name: Green")
    assert moved("export", "-o", "m.yaml", "--drifted", m=text) == 0
    assert read(moved) == text.replace("Blue Sun", "Firefly")


def test_what_a_list_or_a_variable_says_is_left_to_people(moved: Desk) -> None:
    text = WRITTEN.replace('"Blue Sun"', '"${RECONCILER_VAR_NAME:-Blue Sun}"')
    moved("api", "POST", "/companies", "-f", "company_id=6", "-f", "name=Firefly", "-F", "custom_attributes[paid]=true")
    assert moved("export", "-o", "m.yaml", "--drifted", m=text) == 0
    assert read(moved) == text.replace("paid: false", "paid: true")
    assert "as live has it: company/6: custom_attributes.paid\n" in moved.err
    assert "left out: company/6: name: holds a variable; change it by hand\n" in moved.err


def test_an_overlay_that_is_not_laid_over_it_stays(moved: Desk) -> None:
    text, overlay = f"name: default\n{WRITTEN}", "companies: [{company_id: '6', name: Prod}]\n"
    moved.write("i/a.prod.yaml", overlay)
    moved.write("i/a.yaml", text)
    moved("api", "POST", "/companies", "-f", "company_id=6", "-f", "name=Firefly")
    assert moved("export", "-o", "i", "--drifted") == 0, moved.err
    assert (moved.folder / "i/a.yaml").read_text() == text.replace("Blue Sun", "Firefly")
    assert (moved.folder / "i/a.prod.yaml").read_text() == overlay


def test_where_the_manifest_would_not_be_valid_nothing_is_changed(desk: Desk) -> None:
    tier = "attributes: [{name: tier, model: company, data_type: options, options: [low, high]}]\n"
    text = tier + "companies: [{company_id: '6', name: Blue, custom_attributes: {tier: low}}]\n"
    assert desk("apply", "m.yaml", "--auto-approve", m=text) == 0, desk.err
    url = f"/data_attributes/{desk.id('attribute', name='tier')}"
    desk("api", "PUT", url, "-f", "options[][value]=high", "-f", "options[][value]=top")
    assert desk("export", "-o", "m.yaml", "--drifted") == 65
    assert "nothing was changed, because the manifest would not be valid:\n" in desk.err
    assert read(desk) == text


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--drifted"], 64, "--drifted takes a manifest alone"),
        (["--drifted", "-o", "new"], 64, "there is no manifest, so nothing drifted from it"),
        (["--drifted", "-o", "m.yaml", "--only", "tags"], 64, "--drifted takes a manifest alone"),
        (["--drifted", "-o", "m.yaml"], 1, "no apply or adoption is on record"),
    ],
)
def test_without_a_manifest_and_a_base_nothing_is_accepted(arguments: list[str], code: int, said: str, desk: Desk) -> None:
    held: dict[str, Any] = {"m": "tags: [vip]\n"}
    desk("adopt", "tag/vip")
    assert desk("export", *arguments, **held) == code
    assert said in desk.err
