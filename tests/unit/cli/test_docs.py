"""docs: the taxonomy as TAXONOMY.md, which changes with the manifest alone, and as one page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.desk.desk import Desk

MANIFEST = """\
name: growth
workspace: {app_id: sandbox1, region: us}
tags:
  - {name: vip, owner: support, description: Answered within the hour, used_by: ["workflow: VIP routing"]}
  - {name: beta-2026, renamed_from: Beta, owner: growth, description: In the beta}
  - {name: gold, merged_from: [VIP client]}
  - {name: oldest, state: deprecated, replaced_by: older}
  - {name: older, state: deprecated, replaced_by: vip, owner: support, retire_after: {no_new_use_for: 90d}}
  - {name: old-promo, state: absent, owner: growth, description: It ended in May}
"""
EXPECTED = """\
<!-- reconciler:docs -->
<!-- `reconciler docs` writes this file from the manifest: change that one. -->

# Tags of growth

## growth

| Tag | Meaning | Notes |
| --- | --- | --- |
| `beta-2026` | In the beta | was `Beta` |

## support

| Tag | Meaning | Notes |
| --- | --- | --- |
| <a id="tag-vip"></a>`vip` | Answered within the hour | used by workflow: VIP routing |

## Without an owner

| Tag | Meaning | Notes |
| --- | --- | --- |
| <a id="tag-gold"></a>`gold` |  |  |

## Deprecated

These go out of use.

| Tag | Meaning | Owner | Use instead | Notes |
| --- | --- | --- | --- | --- |
| `older` |  | support | [`vip`](#tag-vip) | due to go after 90 days without new use |
| `oldest` |  |  | [`vip`](#tag-vip) |  |

## Retired

These are gone, or go with the next apply.

| Tag | Meaning | Owner | Use instead | Notes |
| --- | --- | --- | --- | --- |
| `old-promo` | It ended in May | growth |  |  |
| `VIP client` |  |  | [`gold`](#tag-gold) |  |
"""
# Names and texts that are markup somewhere.
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script>",
    "a|b",
    "a\\|b",
    "`x`",
    "**x**",
    "[x](y)",
    "~~x~~",
    "<!-- x -->",
    "&amp;",
    "_x_",
    "$x$",
]


def read(desk: Desk, name: str) -> str:
    return (desk.folder / name).read_text(encoding="utf-8")


def test_the_file_for_the_repository_says_what_is_declared(desk: Desk) -> None:
    assert desk("docs", m=MANIFEST) == 0, desk.err
    assert read(desk, "TAXONOMY.md") == EXPECTED
    assert desk.out == "TAXONOMY.md\ntaxonomy.html\n"
    assert desk.err == "7 tags: 3 active, 2 deprecated, 1 merged, 1 retired; members: not read (--live reads them)\n"
    assert desk.box.requests == []
    page = read(desk, "taxonomy.html")
    assert "<b>not read</b> members" in page
    assert "Members now" not in page


def test_with_live_the_page_says_who_has_them_and_the_file_stays(desk: Desk) -> None:
    desk.seed(tags=["vip", "Beta", "stray"], contacts=[{"external_id": str(n), "tags": ["vip"]} for n in range(1200)])
    desk.box.seed({"contacts": [{"external_id": "b", "tags": ["Beta"]}]})
    assert desk("docs", "--live", m=MANIFEST) == 0, desk.err
    assert desk.writes == []
    assert read(desk, "TAXONOMY.md") == EXPECTED
    page = read(desk, "taxonomy.html")
    rows = {name: row for row in page.split("<tr ")[1:] for name in re.findall(r'<th scope="row"><code>([^<]*)', row)}
    assert 'data-n="1200">1,200 contacts' in rows["vip"]
    assert ">1 contacts" in rows["beta-2026"]
    assert ">not live<" in rows["gold"]
    assert '<b class="undeclared">' in rows["stray"]
    assert '<a href="#tag-gold">gold</a>' in rows["VIP client"]
    assert '<desc id="bars-1-all">vip: 1,200 contacts. ' in page


def test_what_the_policy_ignores_is_on_no_page(desk: Desk) -> None:
    desk.seed(tags=["vip", "stray"])
    assert desk("docs", "--live", m="policy: {undeclared_tags: ignore}\ntags: [vip]\n") == 0, desk.err
    assert "stray" not in read(desk, "taxonomy.html")


def test_the_page_says_since_when_a_tag_is_on_record(desk: Desk) -> None:
    assert desk("docs", m="tags: [vip]\n") == 0
    assert ">Since<" not in read(desk, "taxonomy.html")
    assert "Since when: not known" in read(desk, "taxonomy.html")
    assert desk("apply", "m.yaml", "--auto-approve") == 0, desk.err
    assert desk("docs", m="tags: [vip, new]\n") == 0
    page = read(desk, "taxonomy.html")
    assert re.search(r'id="tag-vip">.*<td class="since">20\d\d-\d\d-\d\d</td>', page)
    assert re.search(r'id="tag-new">.*<td class="since"></td>', page)
    assert "20" not in read(desk, "TAXONOMY.md")


def test_check_writes_nothing_and_says_whether_the_file_is_behind(desk: Desk) -> None:
    assert desk("docs", "--check", m=MANIFEST) == 2
    assert desk.err == "TAXONOMY.md would change: run `reconciler docs`, and commit it\n"
    assert desk.files() == {"m.yaml"}
    assert desk("docs") == 0
    assert desk("docs", "--check") == 0
    # A checkout on Windows has other line ends.
    path = desk.folder / "TAXONOMY.md"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert desk("docs", "--check") == 0
    assert desk("docs", "--check", m=MANIFEST.replace("Answered", "Called")) == 2
    assert desk("docs", "--check", "--live") == 64
    assert "leave --live out" in desk.err


@pytest.mark.parametrize("name", ["TAXONOMY.md", "taxonomy.html"])
def test_what_somebody_else_made_is_not_overwritten(name: str, desk: Desk) -> None:
    desk.write(name, "# Mine\n")
    assert desk("docs", m=MANIFEST) == 64
    assert f"{name} is there, and was not made by this command; move it away, or give another folder with -o" in desk.err
    assert read(desk, name) == "# Mine\n"
    assert desk.files() == {"m.yaml", name}
    assert desk("docs", "-o", "site") == 0
    assert desk.files() == {"m.yaml", name, "site", "site/TAXONOMY.md", "site/taxonomy.html"}
    assert desk("docs", "-o", "site") == 0


def test_a_folder_in_the_way_is_left_alone(desk: Desk) -> None:
    (desk.folder / "TAXONOMY.md").mkdir()
    assert desk("docs", m=MANIFEST) == 64
    assert "TAXONOMY.md is there, and is no file" in desk.err
    assert not (desk.folder / "taxonomy.html").exists()


def test_no_text_is_markup_in_either_file(desk: Desk) -> None:
    tags = [{"name": name, "description": name, "owner": name, "renamed_from": f"{name} old", "used_by": [name]} for name in HOSTILE]
    desk.write("m.yaml", {"tags": [*tags, {"name": "goes", "merged_from": [f"{name} x" for name in HOSTILE]}]})
    assert desk("docs") == 0, desk.err
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(read(desk, "TAXONOMY.md"))
    cells: list[list[str]] = []
    for place, token in enumerate(tokens):
        if token.type == "tr_open":
            cells.append([])
        if token.type in ("td_open", "th_open"):
            inside = tokens[place + 1].children or []
            # Code spans and texts are all that there is, beside our own anchors.
            assert {each.type for each in inside} <= {"text", "code_inline", "html_inline", "link_open", "link_close"}
            html = [each.content for each in inside if each.type == "html_inline"]
            assert all(re.fullmatch(r'</?(a|code)( id="[\w-]+")?>', tag) for tag in html), html
            cells[-1].append("".join(each.content for each in inside if each.type in ("text", "code_inline")))
    assert {row[0]: row[1] for row in cells if row[0] in HOSTILE} == {name: name for name in HOSTILE}
    assert {len(row) for row in cells} == {3, 5}
    page = read(desk, "taxonomy.html")
    assert page.count("<script") == page.count("</script>") == 1
    assert "<img" not in page


def test_no_email_stands_in_either_file(desk: Desk) -> None:
    manifest = "tags: [{name: zoe@serenity.example, owner: mal@serenity.example, description: ask wash@serenity.example}]\n"
    desk.seed(tags=["kaylee@serenity.example"])
    assert desk("docs", "--live", m=manifest) == 0, desk.err
    for name in ("TAXONOMY.md", "taxonomy.html"):
        assert "z***" in read(desk, name)
        assert re.findall(r"\b(zoe|mal|wash|kaylee)\b", read(desk, name)) == []


def test_the_token_of_another_workspace_is_refused(desk: Desk) -> None:
    assert desk("docs", "--live", m=MANIFEST.replace("sandbox1", "other1")) == 3
    assert desk.files() == {"m.yaml"}


def test_an_environment_has_a_page_of_its_own(desk: Desk) -> None:
    desk.write("m.prod.yaml", "tags: [{name: vip, description: Called at once}]\n")
    assert desk("docs", "m.yaml", "--env", "prod", "-o", "prod", m=MANIFEST) == 0, desk.err
    assert "`vip` | Called at once |" in read(desk, "prod/TAXONOMY.md")


def test_without_tags_it_says_so(desk: Desk) -> None:
    assert desk("docs", "m.yaml", m="tags: []\n") == 0, desk.err
    assert read(desk, "TAXONOMY.md").endswith("# Tags\n\nNo tags are declared.\n")
    assert "No tags are declared." in read(desk, "taxonomy.html")


def test_the_files_are_the_same_wherever_they_are_made(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795478400")
    assert desk("docs", "m.yaml", m=MANIFEST) == 0
    before = {name: Path(desk.folder, name).read_bytes() for name in ("TAXONOMY.md", "taxonomy.html")}
    assert desk("docs", "m.yaml") == 0
    assert {name: Path(desk.folder, name).read_bytes() for name in before} == before
