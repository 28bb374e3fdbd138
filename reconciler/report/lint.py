"""What `lint` found, as people and programs read it: text, JSON, SARIF 2.1.0."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from reconciler import __version__
from reconciler.core.compare.lint import RULES, Remark
from reconciler.core.model.privacy import hide, show_address
from reconciler.errors import Invalid, Mark, Problem
from reconciler.report.json import deep
from reconciler.report.signs import count
from reconciler.report.terminal import guard, reveal


def summary(remarks: Sequence[Remark]) -> str:
    """How many errors and warnings there are."""
    numbers = [count(number, level) for level, number in _count(remarks).items() if number]
    return ", ".join(numbers) or "nothing is amiss"


def text(remarks: Sequence[Remark], _: Path, full: bool) -> str:
    """One line for each remark; unless `full`, the same in many places is told once."""
    return "".join(f"{guard(reveal(str(hide(line, False))))}\n" for line in _lines(remarks, full))


def _lines(remarks: Sequence[Remark], full: bool) -> Iterator[str]:
    rules: dict[tuple[str, str], list[Problem]] = defaultdict(list)
    for remark in remarks:
        rules[remark.level, remark.rule].append(remark.problem)
    lines = ((p, level, rule) for (level, rule), problems in rules.items() for p in (problems if full else Invalid(problems).causes()))
    for problem, level, rule in sorted(lines, key=lambda one: (one[0].mark, one[2], one[0].what)):
        yield f"{problem.mark}: {level} [{rule}] {problem.what}; {problem.now}"


def as_json(remarks: Sequence[Remark], _: Path, full: bool) -> str:
    """One object, with every remark."""
    rows = [
        {"rule": r.rule, "level": r.level, "address": show_address(r.address), "message": r.problem.what, "now": r.problem.now}
        | {"source": {"file": r.problem.mark.file, "line": r.problem.mark.line, "column": r.problem.mark.column}}
        for r in remarks
    ]
    numbers = {f"{level}s": number for level, number in _count(remarks).items()}
    return deep({"format_version": "1.0", "summary": numbers, "remarks": hide(rows, False)})


def sarif(remarks: Sequence[Remark], root: Path, full: bool) -> str:
    """A log of SARIF 2.1.0 (OASIS) with one run; files are relative to the root of their repository, as GitHub's code scanning wants it."""
    rules = list(RULES)
    descriptors = [{"id": rule, "shortDescription": {"text": RULES[rule].text}} for rule in rules]
    results = [
        {
            "ruleId": r.rule,
            "ruleIndex": rules.index(r.rule),
            "level": r.level,
            "message": {"text": str(hide(f"{r.problem.what}; {r.problem.now}", False))},
            "locations": [{"physicalLocation": _location(r.problem.mark, root)}],
        }
        for r in remarks
    ]
    driver = {"name": "reconciler", "semanticVersion": __version__, "rules": descriptors}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return deep({"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]})


def _location(mark: Mark, root: Path) -> Mapping[str, Any]:
    path = os.path.relpath(os.path.abspath(mark.file), root).replace(os.sep, "/")
    region = {name: number for name, number in (("startLine", mark.line), ("startColumn", mark.column)) if number}
    return {"artifactLocation": {"uri": quote(path, errors="surrogateescape")}} | ({"region": region} if region else {})


def _count(remarks: Sequence[Remark]) -> Mapping[str, int]:
    return {level: sum(remark.level == level for remark in remarks) for level in ("error", "warning")}


FORMS: Mapping[str, Callable[[Sequence[Remark], Path, bool], str]] = MappingProxyType({"text": text, "json": as_json, "sarif": sarif})
