"""The limit kept full: writes of one call each, through the executor and the client, against an Intercom that is far away and counts.

The floor is what nobody can be faster than: the windows that must be waited for, and the way of one
call. Times are this machine's, ratios are the point.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from email.utils import formatdate
from math import ceil
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
from tests.bench.apart import Starter
from tests.bench.table import Bench, Row

CALLS = 1500
# The most times the floor, by latency; per cent of the answers that may be 429; times as long with 429s at random.
MOST = {0.05: 1.10, 0.2: 1.15, 0.4: 1.2}
REFUSED = 1.0
ODD = 3.0


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
class Pace:
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


def keep_full(starter: Starter, far: Far, calls: int, share: float = 1.0) -> Pace:
    """So many writes of one call each, from the start of a window on."""
    steps = [Step(ThingChange(Action.UPDATE, Address("contact", str(n)), Mark("bench.yaml", 1))) for n in range(calls)]
    jobs = [Job((), (n,), 0, frozenset()) for n in range(calls)]
    with starter.serve(["-m", "tests.bench.limits", json.dumps(asdict(far))]) as url, Client(url, Token("x" * 60), share=share) as client:

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
    return Pace(seconds, (ceil(calls / room) - 1) * far.window + far.latency, answers, refused)


CASES = {
    **{f"{latency} ms away": Far(latency / 1000) for latency in (20, 50, 200, 400)},
    **{f"{latency} ms away, another app takes 40 %": Far(latency / 1000, others=0.4) for latency in (50, 200, 400)},
    **{f"{latency} ms away, 7 % answered 429 at random": Far(latency / 1000, odd=0.07) for latency in (50, 200)},
}

SMALL = {name: replace(far, latency=0.001, window=1) for name, far in CASES.items() if far.latency == 0.05}


def rows(bench: Bench) -> Iterator[Row]:
    calls, plain = 10 if bench.small else CALLS, dict[float, float]()
    for name, far in SMALL.items() if bench.small else CASES.items():
        runs = sorted((keep_full(bench.starter, far, calls) for _ in range(bench.repeats)), key=lambda run: run.seconds)
        run = runs[len(runs) // 2]
        note = f"{run.refused} of {run.answers:,} answers 429"
        if far.odd:
            yield Row(f"writes, {name}", calls, run.seconds / plain[far.latency], "x without", ODD, note=note)
            continue
        if not far.others:
            plain[far.latency] = run.seconds
        most = MOST.get(far.latency) if not far.others else None
        yield Row(f"writes, {name}", calls, run.ratio, "x the floor", most, note=f"{run.seconds:.1f} s; {note}")
        yield Row(f"writes, {name}: answers 429", calls, 100 * run.refused_part, "%", REFUSED)


def main() -> None:
    # Whoever started it holds the other end.
    threading.Thread(target=lambda: os._exit(len(sys.stdin.read())), daemon=True).start()
    asyncio.run(serve(Far(**json.loads(sys.argv[1]))))


if __name__ == "__main__":
    main()
