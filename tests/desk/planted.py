"""Workspaces whose answers to a probe are planted."""

from __future__ import annotations

from typing import Any

Planted = dict[str, Any]

# What a sandbox does by itself.
PLAIN: Planted = {
    "name_folding": "case",
    "name_spelling": "first",
    "name_blanks": "kept",
    "name_html": "kept",
    "name_beyond": "taken",
    "name_length": 300,
    "rename_taken": "refused",
    "attached_again": "keeps",
    "detached_missing": 404,
    "shared_email": "other_external_ids",
    "email_case": "kept",
    "lead_external_id": "taken",
    "unknown_key": "ignored",
    "unknown_attribute": "refused",
    "company_null": "ignored",
    "userless_tagged": "hidden",
    "attribute_dots": "refused",
}
# Each of eight does some things otherwise: all answers to all questions are among them.
EIGHT: list[Planted] = [
    {},
    {"name_folding": "accents", "shared_email": "never", "email_case": "lowered"},
    {"name_beyond": "cut", "name_length": 60, "attached_again": "moves", "unknown_key": "refused"},
    {"name_beyond": "refused", "name_length": 113, "shared_email": "any_external_id", "company_null": "cleared"},
    {"name_blanks": "trimmed", "lead_external_id": "refused", "userless_tagged": "shown"},
    {"name_html": "escaped", "lead_external_id": "dropped", "unknown_attribute": "ignored", "attribute_dots": "taken"},
    {"name_spelling": "last", "rename_taken": "twins", "detached_missing": 200, "company_null": "refused"},
    {"name_folding": "accents", "name_blanks": "trimmed", "name_html": "escaped", "name_beyond": "cut", "name_length": 250},
]
