"""Variables in the values of a manifest: `${RECONCILER_VAR_X}`, `${RECONCILER_VAR_X:-default}`; `$${` is `${` itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from reconciler.core.model.written import Plain, is_null
from reconciler.manifest.contents import Contents, Raw
from reconciler.manifest.layers import PREFIX
from reconciler.manifest.sentences import Loc

_REFERENCE = re.compile(rf"\$\$\{{|\$\{{(?:({PREFIX}[A-Za-z0-9_]+)(:-[^}}]*)?\}})?")


class Unfilled(Exception):
    """Why a variable has no value: what is wrong, and what to do now. Never what it holds."""


def fill_in(contents: Contents, raw: Raw, personal: Collection[str] = ()) -> Any | None:
    """What is written, with the values of its variables; None where one of them has none, or is in a personal field, which is noted."""
    has_problem = False

    def fill(plain: Any, loc: Loc) -> Any:
        nonlocal has_problem
        if isinstance(plain, dict):
            return {key: fill(value, (*loc, key)) for key, value in plain.items()}
        if isinstance(plain, list):
            return [fill(value, (*loc, number)) for number, value in enumerate(plain)]
        if not isinstance(plain, str) or "${" not in plain:
            return plain
        try:
            return substitute(plain, contents.layers.variables, next((step for step in loc if step in personal), None))
        except Unfilled as error:
            has_problem = True
            contents.note(raw.mark(*loc), *error.args)
        return plain

    value = fill(raw.value, ())
    return None if has_problem else value


def without_variables(value: Any) -> Any:
    """A value as it is written where no variable is meant."""
    if isinstance(value, dict):
        return {key: without_variables(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_variables(inner) for inner in value]
    return value.replace("${", "$${") if type(value) is str else value


def substitute(template: str, variables: Mapping[str, str], personal: str | int | None = None) -> str:
    """A value with those of its variables. Raises Unfilled."""

    def value(match: re.Match[str]) -> str:
        name, default = match[1], match[2]
        if match[0] == "$${":
            return "${"
        if name is None:
            raise Unfilled(f"${{ begins a variable, whose name begins with {PREFIX}", "write $${ if the text is meant")
        if personal is not None:
            raise Unfilled(f"{personal}: is personal, and takes no variable", "write the value itself")
        if name in variables and (variables[name] or default is None):
            return variables[name]
        if default is None:
            raise Unfilled(f"the variable {name} has no value", f"set it, or write a default: ${{{name}:-DEFAULT}}")
        return str(default).removeprefix(":-")

    text = _REFERENCE.sub(value, template)
    # Where a variable stands there must often be quotes, as in {a: "${…}"}; what is empty, or called null, clears nothing.
    plain = isinstance(template, Plain) or any(match[1] for match in _REFERENCE.finditer(template))
    return Plain(text) if plain and not is_null(Plain(text)) else text
