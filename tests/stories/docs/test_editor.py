"""An editor with the JSON Schema completes and explains every key, and says what is wrong: asked of yaml-language-server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.kinds import KINDS
from reconciler.manifest.schema import for_editors, manifest_schema
from tests.desk.editor import PROGRAM, Editor, editor
from tests.stories.docs.test_reference import properties

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="yaml-language-server is not installed (npm)")

# What stands before a key, by the map that has it.
BEFORE = {
    "": "",
    "PinEntry": "workspace:\n  ",
    "EnvEntry": "envs:\n  test:\n    ",
    "Policy": "policy:\n  ",
    "Limits": "policy:\n  limits:\n    ",
    "Prune": "policy:\n  prune:\n    ",
    "Reach": "policy:\n  scope:\n    ",
    "Lint": "policy:\n  lint:\n    ",
    "IgnoredDrift": "policy:\n  ignore_drift:\n    - ",
    "ApprovalEntry": "approvals:\n  - ",
    "RuleEntry": "rules:\n  - ",
    "RuleLimits": "rules:\n  - limits:\n      ",
    "RuleExpect": "rules:\n  - expect:\n      ",
    "RuleEntry.include": "rules:\n  - include:\n      - ",
    "RuleEntry.exclude": "rules:\n  - exclude:\n      - ",
    "Was": "contacts:\n  - was:\n      ",
    "RetireAfter": "tags:\n  - retire_after:\n      ",
    "TagEntry.replaced_by": "tags:\n  - replaced_by:\n      ",
    "TagEntryList.replaced_by": "tags:\n  - replaced_by:\n      ",
    "ListEntry": "contacts:\n  - ",
}
for kind in KINDS:
    name = kind.entry.__name__
    BEFORE |= {name: f"{kind.section}:\n  - ", f"{name}List": f"{kind.section}:\n  - "}
    BEFORE |= {f"{n}.{link.field}": f"{kind.section}:\n  - {link.field}:\n      - " for link in kind.links for n in (name, f"{name}List")}


@pytest.fixture(scope="module", params=[False, True], ids=["manifest", "overlay"])
def schema(request: pytest.FixtureRequest) -> Any:
    """What `schema` prints, without and with `--overlay`."""
    return for_editors(manifest_schema(overlay=request.param))


@pytest.fixture(scope="module")
def edits(schema: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    path = tmp_path_factory.mktemp("schema") / "intercom.schema.json"
    path.write_text(json.dumps(schema), encoding="utf-8")
    with editor(path) as language_server:
        yield language_server


def keys(schema: Any) -> Iterator[tuple[str, str, Any]]:
    """Every map, each of its keys, and what is known of it."""
    for path, about in properties(schema):
        owner, _, key = path.rpartition(".")
        yield owner, key, about


def end(text: str) -> tuple[int, int]:
    """The place behind a text."""
    lines = text.split("\n")
    return len(lines) - 1, len(lines[-1])


def plain(shown: str) -> str:
    """What an editor shows, without Markdown's escapes."""
    return re.sub(r"\\(.)", r"\1", shown)


def test_every_key_is_explained(edits: Editor, schema: Any) -> None:
    unexplained = []
    for owner, key, about in keys(schema):
        before = BEFORE[owner]
        uri = edits.opened(f"{before}{key}: {json.dumps(about['examples'][0])}\n")
        line, column = end(before)
        if about["description"] not in plain(edits.explains(uri, (line, column + 1))):
            unexplained.append(f"{owner}.{key}")
    assert unexplained == []


def test_every_key_is_offered(edits: Editor, schema: Any) -> None:
    missing = []
    for owner in dict.fromkeys(owner for owner, _, _ in keys(schema)):
        before = BEFORE[owner]
        offered = edits.offers(edits.opened(before + "\n"), end(before))
        missing += [f"{owner}.{key}" for o, key, about in keys(schema) if o == owner and about["description"] not in offered.get(key, "")]
    assert missing == []


GOOD = """\
name: growth
workspace: {app_id: ecahpwf5, region: eu}
policy: {links: declared, limits: {deletes: 2, people: 5%}}
attributes:
  - {name: sector, model: company, data_type: options, options: [a, b]}
tags: [vip, 2026, {name: beta, renamed_from: [Beta, old]}]
companies:
  - {company_id: 6, name: Blue Sun, tags: [vip, {tag: beta, state: absent}]}
contacts:
  - {external_id: 25, was: {email: old@serenity.example}, phone: null, tags: []}
  - {from: vip.csv, key: external_id, tags: [vip]}
"""


def test_nothing_is_said_of_a_good_manifest(edits: Editor) -> None:
    assert edits.complaints(GOOD) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("polcy: {}\n", "1: Property polcy is not allowed."),
        ("tags:\n  - {name: x, colour: red}\n", "2: Property colour is not allowed."),
        ("tags:\n  - {name: x, state: gone}\n", '2: Value is not accepted. Valid values: "present", "deprecated", "absent".'),
        ("policy: {limits: {deletes: many}}\n", "1: "),
        ("attributes:\n  - {name: x, model: firm, data_type: string}\n", "2: Value is not accepted."),
        ("contacts: {}\n", '1: Incorrect type. Expected "array".'),
        ("workspace: {region: mars}\n", '1: Value is not accepted. Valid values: "us", "eu", "au".'),
    ],
)
def test_what_is_wrong_is_said_in_its_line(edits: Editor, text: str, said: str) -> None:
    assert [complaint for complaint in edits.complaints(text) if complaint.startswith(said)]
