"""Data attributes of contacts and companies: the standard ones of Intercom, and the custom ones of the workspace."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from reconciler.sandbox.api.versions import V2_16
from reconciler.sandbox.request import Refusal, Request, invalid
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace

MODELS = ("contact", "company")
WRITTEN_TYPES = ("string", "integer", "float", "boolean", "datetime", "date", "options")
READ_TYPE = {"datetime": "date", "options": "string"}
LIMIT = 250  # custom attributes per workspace, archived ones not counted (Intercom help, custom user attributes)

# Recorded example of GET /data_attributes, API 2.16: full name, data type, writable through the API.
_COMPANY = """name string w,company_id string,last_request_at date,remote_created_at date w,user_count integer,session_count integer,
plan.name string,monthly_spend float w,size integer w,industry string w,website string w,id string,created_at date,updated_at date,
plan.id string,app_id string"""
_CONTACT = """name string w,email string w,phone string w,external_id string w,id string,role string w,owner_id integer w,avatar string w,
created_at date,signed_up_at date w,last_seen_at date w,updated_at date,last_replied_at date,last_contacted_at date,
last_email_opened_at date,last_email_clicked_at date,unsubscribed_from_emails boolean w,marked_email_as_spam boolean,
has_hard_bounced boolean,language_override string,browser string,browser_language string,os string,location.country string,
location.region string,location.city string"""


def _standard(model: str, table: str) -> Iterable[Doc]:
    for line in table.replace("\n", "").split(","):
        full, data_type, *writable = line.split()
        yield {
            "type": "data_attribute",
            "name": full.rpartition(".")[2],
            "full_name": full,
            "label": full.replace(".", " ").replace("_", " ").capitalize(),
            "data_type": data_type,
            "api_writable": bool(writable),
            "ui_writable": False,
            "messenger_writable": True,
            "custom": False,
            "archived": False,
            "model": model,
        }


STANDARD: list[Doc] = [*_standard("contact", _CONTACT), *_standard("company", _COMPANY)]


def show(attribute: Doc) -> Doc:
    name = attribute["name"]
    body = {"id": int(attribute["id"]), "type": "data_attribute", "name": name, "full_name": f"custom_attributes.{name}", "label": name}
    body |= {key: attribute[key] for key in ("description", "data_type", "options") if attribute.get(key) is not None}
    body |= {"api_writable": True, "ui_writable": False, "messenger_writable": attribute["messenger_writable"], "custom": True}
    return body | {key: attribute[key] for key in ("archived", "admin_id", "created_at", "updated_at", "model")}


def listing(request: Request) -> Doc:
    model = request.query.get("model")
    if model == "conversation" and request.version >= V2_16:
        raise Refusal(422, "parameter_invalid", "model=conversation is no longer supported. Use GET /conversations/attributes instead")
    with_archive = request.flag("include_archived")
    custom = [show(a) for a in request.ws.store.table("attribute").in_order() if with_archive or not a["archived"]]
    data = [a for a in [*STANDARD, *custom] if model in (None, a["model"])]
    return {"type": "list", "data": data}


def create(request: Request) -> Doc:
    _check_new(request.ws, request.body)
    return show(put_new(request.ws, request.body))


def put_new(ws: Workspace, body: Doc) -> Doc:
    """Store a new attribute as the body describes it, unchecked. A seed may also give it an `id`, and say that it is `archived`."""
    now, data_type = ws.clock(), body["data_type"]
    attribute = {
        "id": body.get("id") or str(30 + ws.store.number("attribute")),
        "seq": ws.number(),
        "name": body["name"],
        "model": body["model"],
        "description": body.get("description"),
        "data_type": READ_TYPE.get(data_type, data_type),
        "options": _texts(body["options"]) if data_type == "options" else None,
        "messenger_writable": bool(body.get("messenger_writable", False)),
        "archived": bool(body.get("archived", False)),
        "admin_id": ws.admin()["id"],
        "created_at": now,
        "updated_at": now,
    }
    return ws.store.put("attribute", attribute)


def _texts(options: list[object]) -> list[str]:
    """Callers write {"value": …}, Intercom shows a text (PUT /data_attributes/{id}, recorded example)."""
    return [str(option["value"] if isinstance(option, dict) else option) for option in options]


def _check_new(ws: Workspace, body: Doc) -> None:
    """Raises Refusal."""
    name, model = body.get("name"), body.get("model")
    if model not in MODELS:
        raise invalid("The Data Attribute model field must be either contact or company")
    # Blanks and underscores pass in practice: recorded names have them.
    signs = " _-." if ws.settings.attribute_dots == "taken" else " _-"
    if not isinstance(name, str) or not name or not all(c in signs or c.isalnum() or unicodedata.category(c) == "Sc" for c in name):
        raise invalid("Your name for this attribute must only contain alphanumeric characters, currency symbols, and hyphens")
    if body.get("data_type") not in WRITTEN_TYPES:
        raise invalid("Data Type isn't an option")
    if body["data_type"] == "options":
        _check_options(body.get("options"))
    _check_free(ws, name, str(model))


def _check_options(options: object) -> list[object]:
    if not isinstance(options, list) or not all(isinstance(option, dict) and "value" in option for option in options):
        raise invalid("Options isn't an array")
    if len(options) < 2:
        raise invalid("You must have at least two options on a list type data attribute")
    return options


def _check_free(ws: Workspace, name: str, model: str) -> None:
    """A name is unique over both models (POST /data_attributes). Raises Refusal for one that is in use."""
    if any(a["full_name"] == name and a["model"] == model for a in STANDARD):
        raise invalid(f"'{name}' is one of our standard attributes. Please use a different name.")
    table = ws.store.table("attribute")
    word = {"contact": "people", "company": "company"}
    for other in MODELS:
        if table.ids("name", (other, name)):
            message = f"You already have '{name}' in your {word[other]} data. "
            raise invalid(message + f"To save this as new {word[model]} data, use a different name.")
    if sum(not a["archived"] for a in table.docs.values()) >= LIMIT:
        ws.rest_on("attribute_limit")
        raise invalid(f"You have reached the limit of {LIMIT} custom attributes")


def update(request: Request) -> Doc:
    """Nobody can change the name and the data type: both are ignored."""
    ws, body = request.ws, request.body
    attribute = ws.store.get("attribute", request.id)
    if attribute is None:
        raise Refusal(404, "field_not_found", "We couldn't find that data attribute to update")
    if body.get("archived"):
        ws.rest_on("dependants")
    if body.get("archived") and attribute.get("segments"):
        raise Refusal(422, "data_invalid", "The Data Attribute you are trying to archive has a dependant object")
    changes: Doc = {key: body[key] for key in ("archived", "description", "messenger_writable") if key in body}
    if "options" in body:
        changes["options"] = _texts(_check_options(body["options"]))
    return show(ws.store.put("attribute", attribute | changes | {"updated_at": ws.clock()}))


def infer(value: object) -> str:
    """The data type that a value without a definition probably has."""
    if isinstance(value, bool):
        return "boolean"
    return {int: "integer", float: "float"}.get(type(value), "string")
