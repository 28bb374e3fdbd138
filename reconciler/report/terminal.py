"""The writer: shows any text on any stream, harmlessly, in whatever encoding the stream has."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Mapping
from typing import TextIO

from reconciler.errors import ReconcilerError

# DEL, C1; marks and overrides of direction; what has no width and no use in a name; line separators; halves of surrogate pairs; tags.
# Joiners and variation selectors stay: emoji are made of them.
HARMFUL = "\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f"
# GitHub's runner obeys `##[command]` anywhere in a line (actions/runner, ActionCommand.TryParse), Azure's `##vso[command]`.
COMMAND = r"#(?=#\[|#vso\[)"
_UNCLEAN = re.compile(f"[\x00-\x1f{HARMFUL}]|{COMMAND}")
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "#": "#\\"}
_PLAINER = str.maketrans({"→": "->", "…": "..."})


def clean(text: str) -> str:
    """Foreign text on one line, with everything that a terminal or a CI runner would obey made visible."""
    return _UNCLEAN.sub(lambda match: _escape(match[0]), text)


def reveal(text: str) -> str:
    """A foreign name, or a sentence with names in it, on one line, with what nobody can see in it written out too, as JSON writes it."""
    text = clean(text)
    if text.isascii():
        return text
    # What few texts need takes time to import, and --version and --help come through here.
    import json

    from reconciler.core.model.spelling import find_hidden

    return text.translate({ord(char): json.dumps(char)[1:-1] for char in find_hidden(text)})


def _escape(char: str) -> str:
    code = ord(char)
    if name := _NAMED.get(char):
        return name
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def guard(line: str) -> str:
    """A line that starts no workflow command: GitHub's runner skips blanks before `::` (ActionCommand.TryParseV2)."""
    return "\\" + line if line.lstrip().startswith("::") else line


def encodable(text: str, encoding: str | None) -> str:
    """The text with what the encoding lacks replaced: arrows by `->`, the rest by escapes."""
    try:
        text.encode(encoding or "utf-8")
    except (UnicodeError, LookupError):
        return _replace(text.translate(_PLAINER), encoding or "utf-8")
    return text


def _replace(text: str, encoding: str) -> str:
    try:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except (UnicodeError, LookupError):
        return text.encode("ascii", "backslashreplace").decode("ascii")


class Terminal:
    """Standard output or error. Writing never raises: a reader that has gone is left alone, any other failure is kept for `check`."""

    def __init__(self, stream: TextIO | None, environ: Mapping[str, str] = os.environ, name: str = "the output") -> None:
        self._stream, self._name = stream, name
        self._failure: Exception | None = None
        self.gone = stream is None
        self.interactive = _interactive(stream)
        self.color = self.interactive and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"

    @property
    def width(self) -> int | None:
        """How many columns the terminal has; None where there is no terminal."""
        if self._stream is None or not self.interactive:
            return None
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or None
        except (OSError, ValueError):
            return None

    def write(self, text: str) -> None:
        """Show what a renderer made, as it is."""
        if self._stream is None or self.gone:
            return
        try:
            self._stream.write(encodable(text, self._stream.encoding))
        except (OSError, ValueError) as failure:
            self._give_up(failure)

    def line(self, line: str) -> None:
        """Show one rendered line."""
        self.write(line + "\n")

    def lines(self, lines: Iterable[str]) -> None:
        """Show rendered lines as they come; stops asking for more once nobody reads."""
        for line in lines:
            self.line(line)
            if self.gone:
                return

    def say(self, message: str) -> None:
        """Show a message that may hold foreign text; its own line breaks stay."""
        self.lines(guard(reveal(line)) for line in message.split("\n"))

    def flush(self) -> None:
        if self._stream is None or self.gone:
            return
        try:
            self._stream.flush()
        except (OSError, ValueError) as failure:
            self._give_up(failure)

    def check(self) -> None:
        """Raise if something could not be shown. A reader that went away (`| head`) is no failure."""
        self.flush()
        if self._failure:
            raise ReconcilerError(f"{self._name} could not be written: {_reason(self._failure)}")

    def _give_up(self, failure: Exception) -> None:
        self.gone = True
        if not _reader_left(failure):
            self._failure = failure
        if self._stream is not None:
            _silence(self._stream)


def _interactive(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def _reader_left(failure: Exception) -> bool:
    # Windows reports a broken pipe as EINVAL (https://bugs.python.org/issue35754).
    return isinstance(failure, OSError) and (isinstance(failure, BrokenPipeError) or (os.name == "nt" and failure.errno == errno.EINVAL))


def _reason(failure: Exception) -> str:
    return (isinstance(failure, OSError) and failure.strerror) or "the stream is closed"


def _silence(stream: TextIO) -> None:
    """Point the stream to nowhere: what it still holds would fail again with the next who writes or flushes it."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        return
