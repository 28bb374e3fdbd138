"""Who a token is: its workspace, its admin, and how much of the rate limit is left."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.model.live import Workspace
from reconciler.intercom import routes
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.window import Window

ASK = "GET /me"


@dataclass(frozen=True, slots=True)
class Me:
    """What GET /me says (API 2.16)."""

    # The workspace that the token is for.
    here: Workspace
    # The workspace's name, "" where it has none.
    name: str
    # The name of the admin whose token it is, "" for one without a name.
    admin: str
    # What Intercom calls that admin, "" where it does not say.
    admin_id: str = ""
    # How much of the rate limit is left, None where the reply's headers do not say.
    window: Window | None = None
    # The workspace's time zone by its IANA name, "" where there is none.
    time_zone: str = ""
    # What Intercom calls whoever the token acts for: `admin` for a person.
    acts_for: str = ""

    @property
    def of_person(self) -> bool:
        """Whether the token belongs to a person."""
        return self.acts_for == "admin"


# Intercom says who attached a tag, and that is the person then.
PERSONAL = "the token belongs to a person, so what it writes looks like theirs in Intercom and in `drift`; a pipeline wants an app's own"


def ask(client: Client) -> Me:
    """Ask the token who it is. Raises IntercomError if it is not accepted."""
    request = routes.request(ASK, {})
    reply = client.send(request)
    app = reply.body.get("app")
    if not isinstance(app, dict) or not isinstance(app.get("id_code"), str) or not app["id_code"]:
        raise routes.bad(client, request, "the answer names no workspace")
    here = Workspace(app["id_code"], str(app.get("region") or "us").lower())
    name, zone = (str(app.get(key) or "") for key in ("name", "timezone"))
    admin = str(reply.body.get("name") or "")
    return Me(here, name, admin, str(reply.body.get("id") or ""), reply.window, zone, str(reply.body.get("type") or ""))
