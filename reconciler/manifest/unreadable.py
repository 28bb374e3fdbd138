"""Why a file cannot be read as YAML: its encoding, its characters, its syntax; each with its place and what to do."""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

import yaml

from reconciler.errors import Invalid, Mark, Problem


def short_tag(event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> str:
    """The tag as people write it."""
    return (event.tag or "").replace("tag:yaml.org,2002:", "!!", 1)


class _Sentence(NamedTuple):
    """What libyaml or PyYAML's own parser says, and what it means for somebody who writes a manifest."""

    # A regular expression for their message.
    pattern: str
    # What is wrong; `{line}` is the line where it begins.
    what: str
    # What to do now.
    now: str


_SENTENCES = (
    _Sentence(r"flow sequence.*expected ',' or '\]'", "the list that opens on line {line} is not closed", "write the missing ] or comma"),
    _Sentence(r"flow mapping.*expected ',' or '}'", "the mapping that opens on line {line} is not closed", "write the missing } or comma"),
    _Sentence(r"quoted scalar.*unexpected (end|document)", "the quote that opens on line {line} is not closed", "close it"),
    _Sentence(r"escape c", "an unknown escape in a double-quoted text", "double the backslash, or use single quotes"),
    _Sentence(r"mapping values are not allowed", "a colon that is not expected here", "quote a text that holds ': ', or align the key"),
    _Sentence(r"sequence entries are not allowed", "a list item is not expected here", "begin the list on its own line, or quote a text"),
    _Sentence(r"could not find expected ':'", "a key without a colon", "write key: value, and indent the lines of a longer text"),
    _Sentence(r"block mapping.*expected", "the indentation does not fit the lines above", "align the keys of a mapping"),
    _Sentence(r"block collection.*expected", "the indentation does not fit the lines above", "align the items of a list"),
    _Sentence(r"(alias|anchor).*alphabetic", "* and & begin an alias and an anchor", "quote the value if the text is meant"),
    _Sentence(r"node content", "a value is missing or begins with a character that cannot begin one", "write the value, or quote it"),
    _Sentence(r"cannot start any token", "a value cannot begin with this character", "quote the value"),
    _Sentence(r"tag", "tags (!) are not read", "remove it, or quote the value if the text is meant"),
    _Sentence(r"incompatible YAML", "the %YAML line asks for another YAML", "remove the line"),
)


def explain_syntax(error: yaml.YAMLError, file: str, data: bytes) -> Problem:
    """What is wrong with the YAML of a file, as the parser saw it."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem(Mark(file), f"this is not YAML ({' '.join(str(error).split())})", "save it as UTF-8 text")
    mark = Mark(file, error.problem_mark.line + 1, error.problem_mark.column + 1)
    if _stands_on_tab(mark, data):
        return Problem(mark, "a tab is used for indentation", "use blanks")
    message = f"{error.context or ''}: {error.problem or ''}"
    start = error.context_mark.line + 1 if error.context_mark else mark.line
    for sentence in _SENTENCES:
        if re.search(sentence.pattern, message):
            return Problem(mark, sentence.what.format(line=start), sentence.now)
    return Problem(mark, f"this is not YAML ({message.strip(': ')})", "compare it with the lines above")


def _stands_on_tab(mark: Mark, data: bytes) -> bool:
    """Whether only dashes and blanks, one of them a tab, stand before the place and on it."""
    lines = data.decode().splitlines()
    before = lines[mark.line - 1][: mark.column] if 0 < mark.line <= len(lines) else ""
    return "\t" in before and not before.strip(" -\t")


_FOREIGN = ((b"\xff\xfe\x00\x00", "UTF-32"), (b"\x00\x00\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
# C0 without tab and line ends, DEL, C1, what libyaml takes for a line end and no editor does, and a byte-order mark inside.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def _mark_of(text: str, offset: int, file: str) -> Mark:
    lines = re.split("\r\n|\r|\n", text[:offset])
    return Mark(file, len(lines), len(lines[-1]) + 1)


def check_text(data: bytes, file: str) -> str:
    """The text of a file. Raises Invalid unless it is UTF-8, without characters that cannot stand in YAML."""
    for start, encoding in _FOREIGN:
        if data.startswith(start):
            raise Invalid([Problem(Mark(file), f"the file is {encoding}", "save it as UTF-8")])
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        mark = _mark_of(data[: error.start].decode(), error.start, file)
        what = f"the byte 0x{data[error.start]:02X} is not UTF-8"
        raise Invalid([Problem(mark, what, "save the file as UTF-8")]) from None
    if "\x00" in text[:4]:
        raise Invalid([Problem(Mark(file), "the file is no UTF-8 text (it looks like UTF-16)", "save it as UTF-8")])
    problems = [_unfit(match, file) for match in islice(_UNFIT.finditer(text), 10)]
    if problems:
        raise Invalid(problems)
    return text


def _unfit(match: re.Match[str], file: str) -> Problem:
    what = f"the character U+{ord(match[0]):04X} cannot stand in a manifest"
    return Problem(_mark_of(match.string, match.start(), file), what, "remove it")
