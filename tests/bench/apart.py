"""Python in processes of its own, whose processor time and memory are its own: started anew, or forked where only the bench is tried."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from tests import ROOT


@dataclass(frozen=True)
class Spent:
    """What a process took."""

    # Processor seconds, its own and the system's for it.
    cpu: float
    # The most memory that it had, in MiB.
    peak: float
    # What it printed.
    said: str


@dataclass(frozen=True)
class Starter:
    """How processes start."""

    # Whether they are forks of this one, which has imported everything: quick, and neither their start nor their memory is their own.
    forks: bool = False
    # The Python that is started.
    python: str = sys.executable

    def run(self, arguments: Sequence[str], folder: Path, environ: Mapping[str, str] = MappingProxyType({})) -> Spent:
        """Python with these arguments, to its end, which is to be a good one."""
        with self.beside(arguments, folder, environ, None) as spent:
            pass
        return spent[0]

    @contextmanager
    def beside(
        self, arguments: Sequence[str], folder: Path, environ: Mapping[str, str], ends_with: int | None = signal.SIGTERM
    ) -> Iterator[list[Spent]]:
        """Python with these arguments, which afterwards is sent a signal, or ends by itself; then it has spent what the list holds."""
        with tempfile.TemporaryFile("w+", encoding="utf-8") as out, open(os.devnull) as nothing:
            pid = self._start(arguments, folder, nothing.fileno(), out.fileno(), environ)
            spent: list[Spent] = []
            try:
                yield spent
            finally:
                if ends_with is not None:
                    os.kill(pid, ends_with)
                _, status, usage = os.wait4(pid, 0)
            out.seek(0)
            said = out.read()
        if code := os.waitstatus_to_exitcode(status):
            raise SystemExit(f"{' '.join(arguments)} ended with {code}\n{said}")
        spent.append(Spent(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, said))

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function of a module returns in a process of its own; both ways as JSON."""
        name = f"{function.__module__}:{function.__qualname__}"
        return json.loads(self.run(["-m", "tests.bench.apart", name, json.dumps(arguments)], ROOT).said.splitlines()[-1])

    @contextmanager
    def serve(self, arguments: Sequence[str]) -> Iterator[str]:
        """The URL that a server prints first. It ends with its standard input, which ends with us."""
        (stdin, hold), (reader, out) = os.pipe(), os.pipe()
        pid = self._start(arguments, ROOT, stdin, out)
        os.close(stdin)
        os.close(out)
        try:
            with os.fdopen(reader) as said:
                yield said.readline().strip()
        finally:
            os.close(hold)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _start(
        self, arguments: Sequence[str], folder: Path, stdin: int, out: int, environ: Mapping[str, str] = MappingProxyType({})
    ) -> int:
        pid = os.fork()
        if pid == 0:
            self._become(arguments, folder, (stdin, out, out), environ)
        return pid

    def _become(self, arguments: Sequence[str], folder: Path, streams: Sequence[int], environ: Mapping[str, str]) -> NoReturn:
        ours = {"INTERCOM_ACCESS_TOKEN": "sandbox", "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(folder)}
        os.environ.update({**ours, **environ})
        # A process that compiles all that it imports is not what anybody has.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.chdir(folder)
        for stream, given in enumerate(streams):
            os.dup2(given, stream)
        if self.forks:
            _pretend(arguments)
        os.execv(self.python, [self.python, *arguments])


def _pretend(arguments: Sequence[str]) -> NoReturn:
    """Do in this process what Python would do with these arguments: `-c CODE`, `-m MODULE …`."""
    flag, what, *rest = arguments
    # Whoever forked us may have put others in their place.
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, encoding="utf-8") for number, mode in enumerate(("r", "w", "w")))
    sys.argv[:] = [what, *rest]
    code: object = 0
    try:
        if flag == "-c":
            exec(what, {})
        else:
            module = import_module(what)
            (import_module(f"{what}.__main__") if hasattr(module, "__path__") else module).main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def main() -> None:
    module, _, name = sys.argv[1].partition(":")
    print(json.dumps(getattr(import_module(module), name)(*json.loads(sys.argv[2]))))


if __name__ == "__main__":
    main()
