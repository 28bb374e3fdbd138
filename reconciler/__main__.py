"""The command line: its script, and `python -m reconciler`."""

from __future__ import annotations

import signal
from typing import NoReturn


def main() -> NoReturn:
    """Run a verb and end the process with its exit code. Ctrl-C before that ends it as it ends any program."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A signal may come here.
    from reconciler.cli import main as run

    signal.signal(signal.SIGINT, before)
    run()


if __name__ == "__main__":
    main()
