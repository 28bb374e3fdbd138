"""The route as plain functions: load, observe, diff, plan, hold, execute, record. The only room that knows core and adapters."""

from reconciler.workflow.adopting import (
    Sought,
    adopt,
    forget,
    judged,
    other_names,
    read_addresses,
    recorded,
    seek_declared,
    seek_named,
)
from reconciler.workflow.applying import carry_out, ready, refuse, refuse_whole
from reconciler.workflow.files import applicable, read_plan, save, write_whole
from reconciler.workflow.ground import check_name
from reconciler.workflow.lookup import blind_spots, kind_of, list_all, look_up, raw_answers, raw_request, read_where, search
from reconciler.workflow.manifests import (
    base_manifest,
    declared,
    manifest_schema,
    name_in,
    pin_in,
    planned_manifest,
    planned_pin,
    read_manifest,
    read_rules,
)
from reconciler.workflow.planning import EVERYTHING, documented, listed_calls, origins_of, plan, since
from reconciler.workflow.remembering import locked, waiting
from reconciler.workflow.session import Planned, Ready, Session, connect, watched
from reconciler.workflow.undoing import LAST, ready_undo, run_meant, undo

__all__ = [
    "EVERYTHING",
    "LAST",
    "Planned",
    "Ready",
    "Session",
    "Sought",
    "adopt",
    "applicable",
    "base_manifest",
    "blind_spots",
    "carry_out",
    "check_name",
    "connect",
    "declared",
    "documented",
    "forget",
    "judged",
    "kind_of",
    "list_all",
    "listed_calls",
    "locked",
    "look_up",
    "manifest_schema",
    "name_in",
    "origins_of",
    "other_names",
    "pin_in",
    "plan",
    "planned_manifest",
    "planned_pin",
    "raw_answers",
    "raw_request",
    "read_addresses",
    "read_manifest",
    "read_plan",
    "read_rules",
    "read_where",
    "ready",
    "ready_undo",
    "recorded",
    "refuse",
    "refuse_whole",
    "run_meant",
    "save",
    "search",
    "seek_declared",
    "seek_named",
    "since",
    "waiting",
    "undo",
    "watched",
    "write_whole",
]
