"""The options that say which ledger is meant, and the rules for pipelines, whose machines are gone when they end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.running import in_ci
from reconciler.errors import Refused, Usage
from reconciler.ledger.folder import check_home, our_folder
from reconciler.report.terminal import Terminal

if TYPE_CHECKING:
    from reconciler.core.model.desired import Manifest
    from reconciler.ledger.homes.home import Waiting
    from reconciler.ledger.homes.images import Images
    from reconciler.ledger.ledger import Ledger
    from reconciler.workflow.session import Session

VARIABLE = "RECONCILER_LEDGER"
# Longer than the lease of a run that was killed, in seconds: who waits so long needs nobody who looks after it.
LOCK_TIMEOUT = 90.0


@dataclass(frozen=True)
class LedgerChoice:
    """Which ledger, as the command line says it."""

    # Its address; empty for the file in `.reconciler/`.
    address: str = ""
    # How long to wait for its lock, in seconds.
    timeout: float = LOCK_TIMEOUT
    # The paths of the manifest.
    paths: tuple[str, ...] = ()
    # Whether its verb says nothing, and does nothing, without the ledger of a team.
    must: bool = False
    # The warnings that were given already.
    warnings: set[str] = field(default_factory=set, compare=False)
    # Which one was used, once it was opened.
    which: set[str] = field(default_factory=set, compare=False)

    @cached_property
    def folder(self) -> Path:
        """Ours. Raises Usage."""
        return our_folder(self.paths)

    @property
    def none(self) -> bool:
        return self.address == "none"

    def open(self, *, create: bool) -> Ledger | None:
        """The ledger; None where there is none. One that cannot be used is told of, and does not stop the work; but for one that holds
        the lock of all who write, or a folder in which something lies that is no file of ours. Raises LedgerUnusable, Usage."""
        if self.none:
            if create:
                self._warn(f"--ledger none: {LOST}")
            self.which.add("none, by --ledger none")
            return None
        # It needs SQLAlchemy, which takes a tenth of a second.
        from reconciler.ledger.errors import LedgerUnusable, NotAFile

        if create:
            # Its key and what `undo` needs lie there, wherever the ledger is.
            check_home(self.folder)
        try:
            news = self._news(create)
            ledger = self.sound(create=create)
        except LedgerUnusable as error:
            if (self.must and self.address) or isinstance(error, NotAFile):
                raise
            self._warn(f"{error}; going on without it: {LOST}")
            return None
        place, trace = (ledger.place, "") if ledger else self._absent()
        if trace:
            self._warn(trace)
            return ledger
        if news and not (ledger and ledger.warning):
            Terminal(sys.stderr).say(news)
        self.which.add(place if ledger else f"none yet; the first apply makes {place}")
        return ledger

    def say_which(self) -> None:
        """Which ledger was used, or that there is none, unless a warning said so."""
        Terminal(sys.stderr).lines(f"ledger: {place}" for place in self.which)

    def _news(self, create: bool) -> str:
        """What there is to say of a ledger that is about to be used for the first time, or is missed. Raises LedgerUnusable."""
        from reconciler.ledger import key

        path = self.folder / "ledger.db"
        if self.address:
            if not create or key.read_key(self.folder, os.environ):
                return ""
            return f"the digests of this ledger have a new key, {self.folder / 'key'}; who shares it needs the key as {key.KEY_VARIABLE}"
        if path.exists():
            return ""
        text = "is new, and knows nothing of what was applied from another folder"
        return f"no ledger here yet: {path} {text}" if create else ""

    def _absent(self) -> tuple[str, str]:
        """Where a ledger would be that is not there, and what to say where something shows that there was one; else nothing."""
        from reconciler.ledger.errors import LedgerUnusable
        from reconciler.ledger.homes.choice import home_of
        from reconciler.ledger.ledger import LOST as COUNTS_AS_LOST

        home = home_of(self.address, self.folder, os.environ)
        try:
            text = home.find_traces()
        except LedgerUnusable:
            return home.place, ""
        else:
            return home.place, f"the ledger {home.place} {text}: {COUNTS_AS_LOST}" if text else ""
        finally:
            home.close()

    def warn_of_loss(self) -> None:
        """A warning where something shows that there was a ledger that is not there."""
        _, trace = self._absent()
        if trace:
            self._warn(trace)

    def _warn(self, text: str) -> None:
        """Say it, once a run."""
        if text not in self.warnings:
            self.warnings.add(text)
            Terminal(sys.stderr).say(f"warning: {text}")

    def blank(self, now: Callable[[], float]) -> Ledger | None:
        """In memory, the ledger that the first apply would make; None where it would make none, or there is one."""
        if self.none:
            return None
        from reconciler.ledger.errors import LedgerUnusable
        from reconciler.ledger.ledger import Ledger

        try:
            return Ledger.blank(self.folder, now, self.address)
        except LedgerUnusable:
            return None

    def open_plainly(self, *, create: bool) -> Ledger | None:
        """The ledger; None where there is none. Raises LedgerUnusable, Usage."""
        from reconciler.ledger.ledger import Ledger

        ledger = Ledger.open(self.folder, create=create, address=self.address)
        if ledger and ledger.warning:
            self._warn(ledger.warning)
        return ledger

    def check_name(self, manifest: Manifest) -> None:
        """Raises Invalid (65) for a manifest without a name where several repositories can reach the ledger."""
        from reconciler.workflow.ground import check_name

        if place := self._shared_name():
            check_name(manifest, place)

    def whose(self, name: str | None) -> str:
        """The name under which a verb without PATH works. Raises Usage where none is written and the ledger is shared."""
        if name is None and (place := self._shared_name()):
            raise Usage(f"several repositories can reach the ledger {place}, and no `name:` is written here: say whose it is with --name")
        return name or "default"

    def _shared_name(self) -> str:
        """What the ledger is called where several repositories can reach it, else nothing."""
        if self.none or not self.address:
            return ""
        # They need SQLAlchemy, which takes a tenth of a second.
        from reconciler.ledger.errors import LedgerUnusable
        from reconciler.ledger.homes.choice import home_of

        home = home_of(self.address, self.folder, os.environ)
        try:
            return home.place if home.is_shared else ""
        except LedgerUnusable:
            # Whoever opens it says so.
            return ""
        finally:
            home.close()

    def require(self, verb: str) -> None:
        """Raises Usage where a verb that is about the ledger alone is told to use none."""
        if self.none:
            raise Usage(f"{verb} needs a ledger; run it without --ledger none, which {VARIABLE} may say too")

    def sound(self, *, create: bool) -> Ledger | None:
        """The ledger, all of which can be read where it is a file; None where there is none. Raises LedgerUnusable, Usage."""
        ledger = self.open_plainly(create=create)
        try:
            if ledger and not self.address:
                ledger.examine()
        except BaseException:
            if ledger:
                ledger.close()
            raise
        return ledger

    def usable(self) -> Ledger | None:
        """The ledger; None where there is none, or a file that is damaged, for a verb that may begin a new one. Raises LedgerUnusable."""
        from reconciler.ledger.errors import LedgerUnusable

        try:
            return self.sound(create=False)
        except LedgerUnusable as error:
            if self.address or not error.is_damaged:
                raise
            Terminal(sys.stderr).say(f"warning: the ledger {error.place} counts as lost, and will be moved aside: {error.what}")
            return None

    def begin(self, who: str, waiting: Waiting) -> Ledger:
        """The ledger, a new one where there is none; a file that is damaged is moved aside first. Raises LedgerUnusable, Locked."""
        from reconciler.ledger.homes.mend import set_aside

        if not self.address and (aside := set_aside(self.folder, who, waiting, self._is_damaged)):
            Terminal(sys.stderr).say(f"warning: what was {self.folder / 'ledger.db'} is {aside} now; a new ledger begins")
        ledger = self.sound(create=True)
        assert ledger is not None
        return ledger

    def _is_damaged(self) -> bool:
        from reconciler.ledger.errors import LedgerUnusable

        try:
            if ledger := self.sound(create=False):
                ledger.close()
        except LedgerUnusable as error:
            return error.is_damaged
        return False

    def images(self) -> Images | None:
        """Where pre-images go when the ledger cannot be used: a folder of this machine, unless no ledger is wanted at all."""
        if self.none:
            return None
        # It needs SQLAlchemy, which takes a tenth of a second.
        from reconciler.ledger.homes.images import Images

        return Images.here(self.folder)

    def check_pipeline(self, *, without: bool = True) -> None:
        """Raises Refused (3) in a pipeline whose ledger would be lost with the machine, or could not be read by the next one.
        `without`: its verb may do without any."""
        if not in_ci() or self.none:
            return
        from reconciler.ledger import key

        if not self.address and not (self.folder / "ledger.db").exists():
            text = f"ledger: CI is set and {self.folder / 'ledger.db'} is not there: what is applied would be forgotten with this machine"
            now = f"give --ledger git or --ledger postgresql://HOST/DATABASE ({VARIABLE})"
            raise Refused([f"{text}; {now}{', or --ledger none if that is wanted' if without else ''}"])
        if self.address and not key.read_key(self.folder, os.environ):
            text = f"ledger: CI is set and the key of its digests is not there; give it as the secret {key.KEY_VARIABLE}"
            now = f"where somebody applied before, it lies in their {self.folder / 'key'}; for the first apply, {key.MAKE_ONE}"
            raise Refused([f"{text}: {now}"])


LOST = "nothing is owned or pruned, there is no drift, no undo and no history, and links that we made are not known"


@contextmanager
def lock_workspace(session: Session, choice: LedgerChoice) -> Iterator[None]:
    """The right to write to the workspace of a session; says so where it was taken over from a holder whose time ran out."""
    from reconciler.workflow.recall import hold_lock

    with hold_lock(session, choice.timeout) as lock:
        say_taken_over(lock)
        yield


def say_taken_over(lock: object) -> None:
    """A warning where a lock was taken over from a holder whose time ran out."""
    if holder := getattr(lock, "taken_over", ""):
        Terminal(sys.stderr).say(f"warning: {holder}")
