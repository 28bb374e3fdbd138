"""The writer: any text, any stream, any encoding, and never an error."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ReconcilerError
from reconciler.report import text
from reconciler.report.terminal import Terminal, clean, encodable, guard
from tests.unit.report.plans import a_change, a_field, a_plan

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
ENCODINGS = ("ascii", "latin-1", "cp1252", "cp437", "shift_jis", "koi8-r", "utf-8", "utf-16")


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def show(encoding: str, *written: str) -> str:
    raw = io.BytesIO()
    terminal = Terminal(io.TextIOWrapper(raw, encoding=encoding, write_through=True, newline="\n"))
    for piece in written:
        terminal.write(piece)
    terminal.check()
    return raw.getvalue().decode(encoding)


@given(ANY_TEXT, st.sampled_from(ENCODINGS))
def test_no_text_is_too_much_for_any_encoding(foreign: str, encoding: str) -> None:
    plan = a_plan(a_change("update", f"tag/{foreign}", a_field("name", foreign, foreign + "x")))
    for line in text.lines(plan):
        assert encodable(line, encoding).encode(encoding) or not line


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_stream_takes_arrows_and_emoji(encoding: str) -> None:
    text = show(encoding, "\U0001f331 \u2192 \u2026\n")
    assert text.endswith("\n")
    assert "feature" in show(encoding, "\U0001f331feature")


def test_what_ascii_lacks_is_replaced() -> None:
    assert show("ascii", "Caf\u00e9 → \U0001f331…\n") == "Caf\\xe9 -> \\U0001f331...\n"
    assert show("cp1252", "Caf\u00e9 → \U0001f331…\n") == "Caf\u00e9 -> \\U0001f331...\n"
    assert show("utf-8", "Caf\u00e9 → \U0001f331…\n") == "Caf\u00e9 → \U0001f331…\n"


def test_an_encoding_that_nobody_knows_is_taken_for_ascii() -> None:
    assert encodable("→ é", "no such thing") == "-> \\xe9"


@pytest.mark.parametrize(
    ("foreign", "harmless"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\nb\r\tc\0", r"a\nb\r\tc\x00"),
        ("\u202eevil\u2066", r"\u202eevil\u2066"),
        ("\x9b2J\x7f", r"\x9b2J\x7f"),
        ("half \ud83d", r"half \ud83d"),
        ("vi\u200bp\ufeff", r"vi\u200bp\ufeff"),
        ("##[group]x ##vso[task]", r"#\#[group]x #\#vso[task]"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467 ⚒\ufe0f #12 ##", "\U0001f468\u200d\U0001f469\u200d\U0001f467 ⚒\ufe0f #12 ##"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_orders_become_visible_and_names_stay(foreign: str, harmless: str) -> None:
    assert clean(foreign) == harmless


def test_a_line_is_no_workflow_command_even_after_blanks() -> None:
    assert guard("  ::error::x") == "\\  ::error::x"
    assert guard("a ::error::x") == "a ::error::x"


def test_a_message_keeps_its_lines_and_nothing_else() -> None:
    stream = io.StringIO()
    Terminal(stream).say("one\x1b\n::error::two")
    assert stream.getvalue() == "one\\x1b\n\\::error::two\n"


def test_color_is_for_terminals_that_want_it() -> None:
    assert Terminal(Tty(), {}).color
    assert not Terminal(Tty(), {"NO_COLOR": "1"}).color
    assert not Terminal(Tty(), {"TERM": "dumb"}).color
    assert not Terminal(io.StringIO(), {}).color


def test_a_full_disk_is_told_at_the_end_and_stops_nothing() -> None:
    terminal = Terminal(Full())
    terminal.lines(["one", "two"])
    with pytest.raises(ReconcilerError, match="could not be written: No space left on device"):
        terminal.check()


def test_a_closed_or_missing_stream_is_silent() -> None:
    closed = io.StringIO()
    closed.close()
    Terminal(closed).write("x")
    missing = Terminal(None)
    missing.say("x")
    missing.check()
    assert missing.gone
    assert missing.width is None


def test_lines_are_not_asked_for_once_nobody_reads() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as stream:
        terminal = Terminal(stream)
        terminal.lines(iter(str, "never"))
        terminal.check()
        assert terminal.gone


def test_head_ends_quietly() -> None:
    program = (
        "import sys; from reconciler.report.terminal import Terminal; t = Terminal(sys.stdout); t.lines(['x' * 99] * 99999); t.check()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_program_in_an_ascii_world_prints_its_plan() -> None:
    program = (
        "import sys; from reconciler.report import text; from reconciler.report.terminal import Terminal;"
        "from tests.unit.report.plans import a_change, a_field, a_plan;"
        "plan = a_plan(a_change('update', 'tag/\\U0001f331feature', a_field('name', 'Caf\\xe9', 'x')));"
        "t = Terminal(sys.stdout); t.lines(text.lines(plan, color=t.color)); t.check()"
    )
    environ = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    process = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, check=True, text=True, timeout=60).stdout
    assert "~ update    tag/\\U0001f331feature" in process
    assert 'name: "Caf\\xe9" -> "x"' in process
