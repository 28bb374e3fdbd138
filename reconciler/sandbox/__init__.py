"""An embedded local Intercom, written from Intercom's description of its API, that stands alone."""

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.faults import ConnectionDropped, Fault
from reconciler.sandbox.request import Refusal, Request
from reconciler.sandbox.seed import load_seed
from reconciler.sandbox.server import serve, serve_forever

__all__ = ["ConnectionDropped", "Fault", "Refusal", "Request", "Sandbox", "load_seed", "serve", "serve_forever"]
