"""The limit kept full: writes of one call each, through the executor and the client, against an Intercom that is far away and counts.

`python -m tests.bench.limits` prints a table. The floor is what nobody can be faster than: the windows that must be waited for, and the
way of one call. Times are this machine's, ratios are the point.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from email.utils import formatdate
from math import ceil
from statistics import median
from threading import Event

import requests

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, ThingChange
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.plan.calls import Job
from reconciler.core.plan.order import Step
from reconciler.errors import Mark
from reconciler.execute import execute
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.request import Request
from reconciler.intercom.http.token import Token

CALLS = 1500


@dataclass(frozen=True)
class Far:
    """How an Intercom limits, and how far away it is."""

    # Seconds from a call to its answer; half of them before it is counted.
    latency: float
    # Calls in a window.
    limit: int = 200
    # Seconds of a window.
    window: int = 2
    # The part of each window that another app takes, in its first half.
    others: float = 0.0
    # The part of the calls that are answered 429 though there is room.
    odd: float = 0.0


@dataclass(frozen=True)
class Kept:
    """How the limit was kept."""

    # Seconds in all, and those of the floor.
    seconds: float
    floor: float
    # Answers, and those of them that were 429.
    answers: int
    refused: int

    @property
    def ratio(self) -> float:
        return self.seconds / self.floor

    @property
    def refused_part(self) -> float:
        return self.refused / self.answers


class Counter:
    """The calls of the window that is on."""

    def __init__(self, far: Far) -> None:
        self.far, self.rand = far, random.Random(1)
        self.window = self.used = self.answers = self.refused = 0

    def answer(self) -> bytes:
        now, far = time.time(), self.far
        window = int(now // far.window)
        if window != self.window:
            self.window, self.used = window, 0
        theirs = int(far.limit * far.others * min(1.0, now % far.window * 2 / far.window))
        fits = self.used + theirs < far.limit
        self.used += fits
        odd = self.rand.random() < far.odd
        self.answers += 1
        self.refused += odd or not fits
        shown = {
            "Content-Type": "application/json",
            "Content-Length": 2,
            "Date": formatdate(now, usegmt=True),
            "X-RateLimit-Limit": far.limit,
            "X-RateLimit-Remaining": max(far.limit - self.used - theirs, 0),
            "X-RateLimit-Reset": (window + 1) * far.window,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in shown.items())
        return f"HTTP/1.1 {'429 Too Many' if odd or not fits else '200 OK'}\r\n{lines}\r\n{{}}".encode()


async def serve(far: Far) -> None:
    counter = Counter(far)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET /count"):
                    body = json.dumps([counter.answers, counter.refused]).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                    continue
                await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
                await asyncio.sleep(far.latency / 2)
                answer = counter.answer()
                await asyncio.sleep(far.latency / 2)
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


@contextmanager
def served(far: Far) -> Iterator[str]:
    """The URL of one, in a process of its own, gone afterwards."""
    command = [sys.executable, "-m", "tests.bench.limits", "--serve", json.dumps(asdict(far))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def kept(far: Far, calls: int = CALLS, share: float = 1.0) -> Kept:
    """So many writes of one call each, from the start of a window on."""
    steps = [Step(ThingChange(Action.UPDATE, Address("contact", str(n)), Mark("bench.yaml", 1))) for n in range(calls)]
    jobs = [Job((), (n,), 0, frozenset()) for n in range(calls)]
    with served(far) as url, Client(url, Token("x" * 60), share=share) as client:

        def perform(job: Job, ids: Mapping[Address, str]) -> Sequence[Outcome]:
            (n,) = job.covers
            client.send(Request("PUT", f"/contacts/{n}", body={"name": "A"}))
            return [Outcome(n, steps[n].change, Status.APPLIED)]

        time.sleep(far.window - time.time() % far.window)
        began = time.monotonic()
        done = sum(outcome.status is Status.APPLIED for outcome in execute(jobs, steps, perform, {}, client.limiter.room, Event()))
        seconds = time.monotonic() - began
        answers, refused = requests.get(f"{url}/count", timeout=10).json()
    assert done == calls
    room = far.limit * min(share, 1 - far.others)
    return Kept(seconds, (ceil(calls / room) - 1) * far.window + far.latency, answers, refused)


CASES = {
    **{f"{latency} ms": Far(latency / 1000) for latency in (20, 50, 200, 400)},
    **{f"{latency} ms, another app takes 40 %": Far(latency / 1000, others=0.4) for latency in (50, 200, 400)},
    **{f"{latency} ms, 7 % answered 429 at random": Far(latency / 1000, odd=0.07) for latency in (50, 200)},
}


def rows(repeats: int = 3) -> Iterator[tuple[str, Kept]]:
    """Each case with its median."""
    for name, far in CASES.items():
        runs = sorted((kept(far) for _ in range(repeats)), key=lambda run: run.seconds)
        yield name, replace(runs[len(runs) // 2], refused=round(median(run.refused for run in runs)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=json.loads)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve(Far(**asked.serve)))
        return
    for name, run in rows(asked.repeats):
        print(f"{name:42} {run.ratio:5.2f} x the floor of {run.floor:.1f} s, {run.refused} of {run.answers:,} answers 429", flush=True)


if __name__ == "__main__":
    main()
