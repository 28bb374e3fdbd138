"""An embedded local Intercom, written from Intercom's description of its API (2.14 to 2.16, the contact parts of Preview).

It stands alone. Where neither the description nor reports say what Intercom does, it does what is hardest for a client: `readings` lists
these cases, with the settings that change them.
"""

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.faults import ConnectionDropped, Fault
from reconciler.sandbox.request import Refusal, Request
from reconciler.sandbox.seed import load_seed
from reconciler.sandbox.server import serve, serve_forever

__all__ = ["ConnectionDropped", "Fault", "Refusal", "Request", "Sandbox", "load_seed", "serve", "serve_forever"]
