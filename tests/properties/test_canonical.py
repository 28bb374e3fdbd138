"""The canonical form of any text: it says the same to the reader, every comment is there once, and it is its own canonical form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.model.written import Plain
from reconciler.manifest.canonical import canonical
from reconciler.manifest.reader import read
from tests.desk.soak import times

KEYS = (
    "name",
    "tags",
    "contacts",
    "policy",
    "limits",
    "companies",
    "external_id",
    "state",
    "protect",
    "custom_attributes",
    "x y",
    "0",
    "é",
)
PLAIN = ("vip", "a#b", "https://x.example/#y", "null", "", "~", "007", "no", "a b", "-1", "${RECONCILER_VAR_X:-y}", "Ünï", "2026-01-31")
QUOTED = ("'it''s'", '"say \\"x\\""', '"a: b"', "'# none'", '"\\u00e9\\n\\t"', "''", "'\\'", '"two\n   lines"', "'a\n\n   b'")
BLOCKS = (
    "|\n{}one\n{}  two # none\n\n{}three",
    ">-\n{}folded\n{}text",
    "|+\n{}kept\n\n",
    "|2  # about it\n{}  deep\n{}more",
    "|-\n\n{}late",
)
VALUES = st.recursive(
    st.sampled_from(PLAIN + QUOTED + BLOCKS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
ROOTS = st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=5)


class Scribe:
    """Writes a value as untidily as YAML admits."""

    def __init__(self, choose: Callable[[Any], Any]) -> None:
        self.choose, self.numbers = choose, count(1)

    def comment(self) -> str:
        return f"# c{next(self.numbers)}: it's [{{ odd"

    def behind(self) -> str:
        text = f"   {self.comment()}" if self.choose(st.booleans()) else " "
        return str(self.choose(st.sampled_from(("", "", "", "  ", text))))

    def between(self, column: int) -> list[str]:
        """Lines that are empty and comments, before an entry."""
        kinds = self.choose(st.lists(st.sampled_from(("", " ", "#")), max_size=2)) if self.choose(st.booleans()) else []
        return [" " * self.choose(st.integers(0, column + 4)) + self.comment() if kind == "#" else kind for kind in kinds]

    def block(self, value: Any, column: int) -> list[str]:
        lines: list[str] = []
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            head = " " * column + (f"{key}:" if isinstance(value, dict) else "-")
            lines += self.between(column)
            if isinstance(item, str):
                blanks = " " * (column + 2)
                text = item.format(*[blanks] * 4) if item in BLOCKS else item
                lines += [f"{head} {text}" + ("" if item in BLOCKS else self.behind())]
            elif item and self.choose(st.booleans()):
                deeper = column + self.choose(st.integers(1, 4))
                inner = self.block(item, deeper)
                first = next(n for n, line in enumerate(inner) if line.strip() and not line.strip().startswith("#"))
                if not isinstance(value, dict) and first == 0 and self.choose(st.booleans()):
                    lines += (
                        [f"{head}{' ' * (deeper - column - 1)}{inner[0].lstrip()}", *inner[1:]] if deeper > column + 1 else [head, *inner]
                    )
                else:
                    lines += [head + self.behind(), *inner]
            else:
                lines += [f"{head} {self.flow(item, column)}{self.behind()}"]
        return lines

    def gap(self, column: int) -> str:
        new = "\n" + " " * (column + 6)
        text = f" {self.comment()}{new}" if self.choose(st.booleans()) else new
        return str(self.choose(st.sampled_from(("", " ", "  ", new, text))))

    def flow(self, value: Any, column: int) -> str:
        if isinstance(value, str):
            return value if value in QUOTED[:-2] or (value in PLAIN and "{" not in value and value not in ("", "-1")) else "x"
        pairs = value.items() if isinstance(value, dict) else ((None, item) for item in value)
        parts = [self.gap(column) + ("" if key is None else f"{key}: ") + self.flow(item, column) for key, item in pairs]
        begin, end = "{}" if isinstance(value, dict) else "[]"
        return begin + (self.gap(column) + ",").join(parts) + self.gap(column) + end


def strict(value: Any) -> Any:
    """A value that differs from another one where the reader sees a difference."""
    if isinstance(value, Mapping):
        return {key: strict(item) for key, item in value.items()}
    return [strict(item) for item in value] if isinstance(value, list) else (type(value) is Plain, value)


@given(root=ROOTS, data=st.data(), top=st.sampled_from(("", "---\n", "# about\n\n", "--- # doc\n", "%YAML 1.1\n---\n")), crlf=st.booleans())
@settings(max_examples=times(25))
def test_any_text_has_one_form_that_says_the_same(root: Any, data: st.DataObject, top: str, crlf: bool) -> None:
    scribe = Scribe(data.draw)
    text = top + "\n".join([*scribe.block(root, 0), *scribe.between(0), ""])
    text = text.replace("\n", "\r\n") if crlf else text
    before = read(text.encode(), "m.yaml").value
    form = canonical(text)
    if form is None:
        # Below a text that keeps its empty lines one more may be a word too many: such a file stays as it is.
        assert "|+" in text, text
        return
    assert strict(read(form.encode(), "m.yaml").value) == strict(before)
    assert sorted(re.findall(r"# c\d+", form)) == sorted(re.findall(r"# c\d+", text))
    assert canonical(form) == form
    assert ("\r\n" in form) == crlf
    assert not re.search(r"[ \t]\r?$", re.sub(r"(?ms)^.*[|>].*", "", form))
