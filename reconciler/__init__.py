"""Plan-then-apply for Intercom: YAML in Git is what the workspace should have."""

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = [
    "Applied",
    "AppliedInPart",
    "Connection",
    "Databases",
    "Planned",
    "apply",
    "drift",
    "load",
    "plan",
    "read_approvals",
    "read_plan",
]

if TYPE_CHECKING:
    from reconciler.api.connection import Connection
    from reconciler.api.functions import apply, drift, load, plan, read_plan
    from reconciler.api.results import Applied, AppliedInPart, Planned
    from reconciler.ledger.databases import Databases
    from reconciler.manifest.rules import read_approvals
else:

    def __getattr__(name):
        """What host programs use, imported when it is asked for: help and completion answer before that."""
        from importlib import import_module

        rooms = ("api.functions", "api.connection", "api.results", "manifest.rules") if name in __all__ else ()
        for module in (import_module(f"{__name__}.{room}") for room in rooms):
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(f"{__name__} has no {name!r}")

    def __dir__():
        return [*globals(), *__all__]
