"""The lines of links: entries that have the same links share what is read of them, and each keeps its own lines."""

from __future__ import annotations

from pathlib import Path

from reconciler.manifest.read import read_manifest

ENTRIES = """\
tags: [vip, beta]
contacts:
- external_id: u1
  tags: [vip, beta]
- external_id: u2
  name: Zoe Washburne
  tags: [vip, beta]
- tags: [vip, beta]
  external_id: u3
- {external_id: u4, tags: [vip, beta]}
- external_id: u5
  tags:
  - vip
  - beta
- external_id: u6
  tags:
  # Since June.
  - vip
  - tag: beta
    state: absent
- external_id: u7
  tags: [vip, beta]
"""


def test_each_link_is_on_the_line_that_names_its_end(tmp_path: Path) -> None:
    path = tmp_path / "people.yaml"
    path.write_text(ENTRIES, encoding="utf-8")
    contacts = [resource for address, resource in read_manifest([str(path)]).resources.items() if address.kind == "contact"]
    lists = [(contact.mark.line, contact.links["tags"]) for contact in contacts]
    lines = [{end.key: first + below for end, below in {**written.present, **written.absent}.items()} for first, written in lists]
    there = [{"vip": 4, "beta": 4}, {"vip": 7, "beta": 7}, {"vip": 8, "beta": 8}, {"vip": 10, "beta": 10}]
    assert lines == [*there, {"vip": 13, "beta": 14}, {"vip": 18, "beta": 19}, {"vip": 22, "beta": 22}]
