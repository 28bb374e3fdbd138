"""Running a verb: every way to end becomes one sentence and one exit code; signals stop it cleanly."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from types import FrameType

import click

from reconciler.errors import Interrupted, Invalid, Mark, ReconcilerError, Refused, origin

# click ends wrong usage with 2, which here would read as "there are changes".
USAGE = 64
# A person was asked and said no: nothing was done, and nothing went wrong, but a script must not go on.
DECLINED = 1
# The signals that came to the verb that runs. What they raised may have been lost in code that passes over errors.
CAME: ContextVar[Sequence[int]] = ContextVar("CAME", default=())


def in_ci(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this runs in a pipeline: CI is set, as by every common one."""
    return environ.get("CI", "").lower() not in ("", "0", "false")


def whoever() -> str:
    """Who asks, for whoever waits for them: the account, the machine and the process."""
    # Most runs end without them.
    import getpass
    import socket

    try:
        account = getpass.getuser()
    except (OSError, KeyError):
        account = "somebody"
    # No "@" between them: a ledger keeps nothing that looks like an e-mail.
    return f"{account} on {socket.gethostname()} (process {os.getpid()})"


def collect_again() -> None:
    """Look for garbage again where the command line does not, among what is made from now on: what follows may take hours."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def run(command: click.Command, arguments: Sequence[str]) -> int:
    """The exit code of a verb. Whatever it raised has been said on stderr, in one sentence, without personal values."""
    came, stdout = list[int](), sys.stdout
    try:
        with _terminable(came):
            code = command.main(list(arguments), prog_name="reconciler", standalone_mode=False)
        _flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except SystemExit as end:
        # Shell completion ends so. click does with 1 where nobody reads on, having put a stream of its own in the place of ours.
        return end.code if isinstance(end.code, int) and sys.stdout is stdout else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except BrokenPipeError:
        return 0  # whoever read our output has gone (`| head`)
    except BaseException as error:
        code = _say(*_account(error, came))
        annotate(_places(error))
        return code


def _flush() -> None:
    """Show what is still held back. Raises ReconcilerError where that fails; standard output may be closed altogether."""
    from reconciler.report.terminal import Terminal

    Terminal(sys.stdout).check()


def _account(error: BaseException, came: Sequence[int] = ()) -> tuple[str, int]:
    """What to tell people of the end of a verb to which these signals came, and its exit code. The last case is our own bug."""
    match error:
        case click.Abort() | KeyboardInterrupt():
            return "interrupted", 130
        case RuntimeError(__cause__=(KeyboardInterrupt() | Interrupted()) as signalled):
            # Python 3.11 wraps so what comes while a class is made, as in an import.
            return _account(signalled)
        case click.ClickException():
            # click lists what may be chosen in lines of their own.
            text = error.format_message().replace(",\n\t", ", ").replace("\n\t", " ")
            return f"{text.rstrip('.')}{_way_on(error)}", USAGE
        case ReconcilerError():
            return str(error), error.exit_code
        case OSError():
            return f"{error.filename or 'the output'}: {error.strerror or type(error).__name__}", 1
        case _ if came:
            # While it builds a model, pydantic puts an error of its own in the place of what a signal raises.
            return _account(Interrupted(came[0]))
        case _:
            return f"internal error ({origin(error)}); please report it with the command that you ran", 1


def _way_on(error: click.ClickException) -> str:
    """Where to look after wrong usage."""
    ctx = error.ctx if isinstance(error, click.UsageError) else None
    if ctx is None:
        return ""
    # Most runs are typed right.
    import difflib

    names = ctx.command.list_commands(ctx) if isinstance(ctx.command, click.Group) else []
    close = difflib.get_close_matches(error.command_name, names, 1) if isinstance(error, click.NoSuchCommand) else []
    return f"; did you mean {close[0]}?" if close else f"; see {ctx.command_path} --help"


def _say(text: str, code: int) -> int:
    """One message on stderr, and the code to end with."""
    say_error(text)
    return code


def say_error(text: str) -> None:
    """One message on stderr that says what is wrong, without personal values."""
    from reconciler.core.model.privacy import hide
    from reconciler.report.terminal import Terminal

    Terminal(sys.stderr).say(f"error: {hide(text, False)}")


# A message, its place, and its level: error, warning or notice.
Annotation = tuple[str, Mark | None, str]


def annotate(annotations: Iterable[Annotation]) -> None:
    """On GitHub, each of these at its place in the change request. GitHub shows ten of a step; the report has all."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    from reconciler.report.annotations import annotation
    from reconciler.report.terminal import Terminal

    Terminal(sys.stderr).lines(annotation(*one) for one in islice(annotations, 10))


def _places(error: BaseException) -> Iterator[Annotation]:
    """What an error says, problem by problem, for those that have a place."""
    if isinstance(error, Invalid):
        causes = ((f"{problem.what}; {problem.now}" if problem.now else problem.what, problem.mark) for problem in error.causes())
        yield from ((text, mark, "error") for text, mark in causes)
    elif isinstance(error, Refused):
        yield from ((reason, None, "error") for reason in error.reasons)


@contextmanager
def _terminable(came: list[int]) -> Iterator[None]:
    """SIGTERM ends a verb like Ctrl-C does, with its own exit code. Which signals came is added to the list."""

    def end(signum: int, _: FrameType | None) -> None:
        came.append(signum)
        raise KeyboardInterrupt if signum == signal.SIGINT else Interrupted(signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Where a shell ignores Ctrl-C for a job in the background, so does the verb.
    signals = [signal.SIGTERM] + [signal.SIGINT] * (signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    before, of_before = {signum: signal.signal(signum, end) for signum in signals}, CAME.set(came)
    try:
        yield
    finally:
        CAME.reset(of_before)
        for signum, handler in before.items():
            signal.signal(signum, handler)


class Stop(threading.Event):
    """Set by a signal: no further call starts, those in flight end. `signum` says which."""

    signum = 0

    def check(self) -> None:
        """Raises Interrupted if a signal came."""
        if self.signum:
            raise Interrupted(self.signum)


@contextmanager
def stoppable(stop: Stop) -> Iterator[Stop]:
    """While writing, Ctrl-C and SIGTERM ask for a clean stop; a second one ends at once."""

    def ask(signum: int, _: FrameType | None) -> None:
        if stop.is_set():
            raise Interrupted(signum)
        stop.signum = signum
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {signum: signal.signal(signum, ask) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
