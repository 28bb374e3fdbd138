"""The referee of a whole test run: it records every worker and every process that tests start, and judges when all are done."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.app import Sandbox
from tests.referee.description import DESCRIPTION, VERSION, Description, absent
from tests.referee.recording import FOLDER, Exchange, read, record

CHILD = Path(__file__).parent / "child"
NODE = "tests/referee/plugin.py::all_that_was_sent_and_got_fits_the_description"
SHOWN = 20
# What a probe sends to see what becomes of it: an unknown key, and null where there is no null.
ON_PURPOSE = re.compile(r'"zz_reconciler"|"zz-reconciler-.*: ?null')


@dataclass
class Verdict:
    """What was held against the description, what lay outside it, and what broke it."""

    held: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    replies: int = 0
    outside: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    # What is wrong with each shape of a request or a reply that was judged.
    judged: dict[object, list[str]] = field(default_factory=dict)

    def take(self, exchange: Exchange, description: Description) -> None:
        operation = description.operation(exchange.method, exchange.path)
        if operation is None or (exchange.body and ON_PURPOSE.search(exchange.body)):
            self.outside[exchange.operation] += 1
        elif exchange.version != VERSION:
            self.versions[exchange.version] += 1
        else:
            self.held[operation] += 1
            self.requests += exchange.ours
            self.replies += exchange.reply is not None
            self.broken += [f"{violation}\n{_account(exchange)}" for violation in self._violations(operation, exchange, description)]

    def _violations(self, operation: str, exchange: Exchange, description: Description) -> Iterator[str]:
        """Every process records every shape that is new to it, so most come several times."""
        if exchange.ours:
            yield from self._once(("sent", operation, exchange.sent_shape), lambda: description.broken_request(exchange))
        if exchange.reply is not None:
            yield from self._once(("got", operation, exchange.reply_shape), lambda: description.broken_reply(exchange))

    def _once(self, key: object, judge: Callable[[], Iterable[str]]) -> list[str]:
        if key not in self.judged:
            self.judged[key] = list(judge())
        return self.judged[key]

    def lines(self) -> list[str]:
        texts = [
            f"{sum(self.held.values())} exchanges of different shape on {len(self.held)} operations held against Intercom's description"
            f" of {VERSION}: {self.requests} requests of our client, {self.replies} replies; {len(self.broken)} violations"
        ]
        if self.versions:
            texts.append(f"not held against it, other versions: {_counted(self.versions)}")
        if self.outside:
            texts.append(f"not held against it, other paths: {_counted(self.outside)}")
        return texts

    def complaint(self) -> str:
        more = [f"and {len(self.broken) - SHOWN} more"] if len(self.broken) > SHOWN else []
        return "\n\n".join([*self.broken[:SHOWN], *more])


def judge(exchanges: Iterable[Exchange], description: Description) -> Verdict:
    verdict = Verdict()
    for exchange in exchanges:
        verdict.take(exchange, description)
    return verdict


def pass_on(patch: pytest.MonkeyPatch) -> None:
    """Processes that tests start are recorded too (child/sitecustomize.py), those with an environment of their own as well."""
    start: Callable[..., None] = subprocess.Popen.__init__

    def started(self: Any, *args: Any, env: Mapping[str, str] | None = None, **how: Any) -> None:
        start(self, *args, env={**(os.environ if env is None else env), **passed_on(env or os.environ)}, **how)

    patch.setattr(subprocess.Popen, "__init__", started)


def passed_on(environ: Mapping[str, str]) -> dict[str, str]:
    paths = [str(CHILD), *environ.get("PYTHONPATH", "").split(os.pathsep)]
    variables = {name: os.environ[name] for name in (FOLDER, "PYTEST_CURRENT_TEST") if name in os.environ}
    return variables | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(filter(None, paths)))}


def _account(exchange: Exchange) -> str:
    query = "?" + "&".join(f"{name}={value}" for name, value in exchange.query.items()) if exchange.query else ""
    sent = f"\n  sent {exchange.body[:600]}" if exchange.ours and exchange.body else ""
    got = f"\n  got {exchange.status} {exchange.reply[:600]}" if exchange.reply is not None else ""
    return f"  {exchange.method} {exchange.path}{query} in {exchange.test or 'no test'}{sent}{got}"


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(counter.items()))


class Referee:
    """Registered by tests/conftest.py; where the description is absent it says so and records nothing."""

    def __init__(self, path: Path = DESCRIPTION) -> None:
        self.path = path
        self.said: list[str] = []
        self.folder: Path | None = None
        self.patch = pytest.MonkeyPatch()

    def pytest_configure(self, config: pytest.Config) -> None:
        if absent(self.path):
            self.patch.delenv(FOLDER, raising=False)
            return
        if not hasattr(config, "workerinput"):
            self.folder = Path(tempfile.mkdtemp(prefix="referee-"))
            self.patch.setenv(FOLDER, str(self.folder))  # workers inherit it
        record(Path(os.environ[FOLDER]), Sandbox)
        pass_on(self.patch)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.folder is None:
            self.said = [absent(self.path)] if absent(self.path) else []
            return
        exchanges = list(read(self.folder))
        if exchanges:
            verdict = judge(exchanges, Description.read(self.path))
            self.said = verdict.lines()
            if verdict.broken:
                self._fail(session, verdict.complaint())

    def _fail(self, session: pytest.Session, complaint: str) -> None:
        """As a failed test fails the run: in the list of failures, in the count, in the exit code."""
        report = pytest.TestReport(
            NODE, (NODE.partition("::")[0], None, NODE.rpartition(":")[2]), {}, "failed", longrepr=complaint, when="call"
        )
        session.config.hook.pytest_runtest_logreport(report=report)
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for line in self.said:
            terminalreporter.write_line(f"referee: {line}")

    def pytest_unconfigure(self) -> None:
        self.patch.undo()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
