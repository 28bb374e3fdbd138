"""Seeds: additive, by the names people use, with one clear sentence when they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.seed import load_seed
from tests.desk.calling import Caller

YAML = """
attributes: [{name: paid, model: company, data_type: boolean}]
tags: [vip, {name: trial, id: 7, segments: [Trials]}]
companies:
  - {company_id: "6", name: Blue Sun, remote_created_at: 2014-03-11T09:46:09Z, tags: [vip], custom_attributes: {paid: true}}
contacts:
  - {external_id: "25", email: Wash@serenity.example, tags: [vip, trial, other], companies: ["6", "new"], custom_attributes: {seats: 3}}
"""


def test_a_file_makes_what_it_names_and_what_it_only_mentions(call: Caller, box: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "seed.yaml").write_text(YAML)
    box.seed(load_seed(tmp_path / "seed.yaml"))
    assert [tag["name"] for tag in call.ok("GET", "/tags")["data"]] == ["vip", "trial", "other"]
    assert call.ok("GET", "/companies?company_id=new")["user_count"] == 1
    assert call.ok("GET", "/companies?company_id=6")["remote_created_at"] == 1394531169
    contact = call.ok("GET", "/contacts/find_by_external_id/25")
    assert (contact["email"], contact["tags"]["total_count"], contact["companies"]["total_count"]) == ("Wash@serenity.example", 3, 2)
    types = {a["name"]: (a["model"], a["data_type"]) for a in call.ok("GET", "/data_attributes")["data"] if a["custom"]}
    assert types == {"paid": ("company", "boolean"), "seats": ("contact", "integer")}


def test_seeding_again_merges_by_name_company_id_external_id_and_id(call: Caller, box: Sandbox) -> None:
    seed = {
        "tags": ["vip"],
        "companies": [{"company_id": "6", "name": "A"}],
        "contacts": [{"external_id": "25"}, {"id": "x1", "email": "a@b.example"}],
        "attributes": [{"name": "paid"}],
    }
    box.seed(seed)
    box.seed({**seed, "contacts": [{"external_id": "25", "tags": ["VIP"]}, {"id": "x1", "name": "A"}]})
    assert (len(call.ok("GET", "/tags")["data"]), call.ok("GET", "/contacts")["total_count"]) == (1, 2)
    assert call.ok("GET", "/contacts/x1")["email"] == "a@b.example"
    assert call.ok("GET", "/contacts/find_by_external_id/25")["tags"]["total_count"] == 1


def test_a_tag_may_say_when_it_was_applied(call: Caller, box: Sandbox) -> None:
    box.seed({"contacts": [{"id": "x1", "role": "lead", "tags": ["vip", {"tag": "old", "applied_at": 1394531169}]}]})
    tags = {tag["name"]: tag["applied_at"] for tag in call.ok("GET", "/contacts/x1/tags")["data"]}
    assert (tags["old"], tags["vip"] > 1394531169) == (1394531169, True)


@pytest.mark.parametrize(
    ("seed", "sentence"),
    [
        ({"tagz": []}, "unknown section 'tagz'"),
        ({"tags": "vip"}, "tags must be a list"),
        ({"tags": [7]}, "each of tags must be a mapping"),
        ({"tags": [{"id": 7}]}, "a tag needs a name"),
        ({"companies": [{"name": "A"}]}, "a company needs a company_id"),
        ({"companies": [{"company_id": "6", "colour": "blue"}]}, "unknown key 'colour' in companies"),
        ({"contacts": [{"name": "A"}]}, "a contact needs an id, external_id, email or role"),
        ({"contacts": [{"external_id": "1", "tags": "vip"}]}, "tags of a contact must be a list"),
        ({"contacts": [{"external_id": "1", "tags": [{"tag": "vip", "by": "me"}]}]}, "tags of a contact must be a list of names"),
        ({"contacts": [{"external_id": "1", "merged_into": "2"}]}, "there is no contact '2'"),
        ({"attributes": [{"name": "a", "data_type": "text"}]}, "data_type 'text' is not one of"),
        ({"oauth_apps": [{"client_id": "a"}]}, "an oauth app needs"),
    ],
)
def test_a_wrong_seed_is_told_in_a_sentence(box: Sandbox, seed: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        box.seed(seed)


def test_a_file_that_is_no_mapping_is_named(tmp_path: Path) -> None:
    (tmp_path / "seed.yaml").write_text("- a")
    (tmp_path / "seed.json").write_text("{")
    for name in ("seed.yaml", "seed.json"):
        with pytest.raises(ValueError, match=name):
            load_seed(tmp_path / name)
