"""The route as plain functions: load, observe, diff, plan, hold, execute, record. The only room that knows core and adapters."""

from reconciler.workflow.applying import Ready, carry_out, ready, refuse
from reconciler.workflow.files import applicable, read_plan, save, write_whole
from reconciler.workflow.lookup import blind_spots, kind_of, list_all, look_up, raw_answers, raw_request, read_where, search
from reconciler.workflow.manifests import (
    base_manifest,
    declared,
    manifest_schema,
    pin_in,
    planned_manifest,
    planned_pin,
    read_manifest,
    read_rules,
)
from reconciler.workflow.planning import EVERYTHING, documented, listed_calls, origins_of, plan, since
from reconciler.workflow.session import Planned, Session, connect, watched

__all__ = [
    "EVERYTHING",
    "Planned",
    "Ready",
    "Session",
    "applicable",
    "base_manifest",
    "blind_spots",
    "carry_out",
    "connect",
    "declared",
    "documented",
    "kind_of",
    "list_all",
    "listed_calls",
    "look_up",
    "manifest_schema",
    "origins_of",
    "pin_in",
    "plan",
    "planned_manifest",
    "planned_pin",
    "raw_answers",
    "raw_request",
    "read_manifest",
    "read_plan",
    "read_rules",
    "read_where",
    "ready",
    "refuse",
    "save",
    "search",
    "since",
    "watched",
    "write_whole",
]
