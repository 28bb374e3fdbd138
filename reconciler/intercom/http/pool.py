"""Threads for reads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from reconciler.errors import IntercomError
from reconciler.intercom.http.client import Client

# Threads for reads, at least. Calls may come to take twice the time, and threads that wait at the rate limit cost little.
THREADS = 8


@contextmanager
def reading(client: Client) -> Iterator[ThreadPoolExecutor]:
    """When one read ends the run, those that wait are not made; when a signal ends it, those under way are not waited for."""
    pool = ThreadPoolExecutor(max(THREADS, 2 * client.limiter.room()))
    try:
        yield pool
    except IntercomError:
        pool.shutdown(cancel_futures=True)
        raise
    except BaseException:
        client.stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
