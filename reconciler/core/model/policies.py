"""The policy of a list of kinds: what each of them adds to its keys, and what its descriptions call them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import create_model

from reconciler.core.model.kinds import Kinds
from reconciler.core.model.policy import PATTERN, Limits, Lint, Pattern, Policy, Prune, Reach, StrictModel, Strictness
from reconciler.core.model.scalars import Name, doc

Keys = Mapping[str, Any]
Model = TypeVar("Model", bound=StrictModel)


@cache
def policy_model(kinds: Kinds) -> type[Policy]:
    """The model of a policy for these kinds: `prune` and `scope` have a key for each that can be pruned."""
    prune: dict[str, Any] = {}
    scope: dict[str, Any] = {}
    keys: dict[str, Any] = {}
    for section, kind in kinds.by_section.items():
        if kind.prune:
            text = f"Which undeclared {section} are deleted."
            prune[section] = Annotated[Literal["never", "owned", "all"], doc(text, kind.prune.example)], "never"
            text = f"The {section} that `prune: {{{section}: all}}` may delete, as globs of {kind.identities[0].field}s."
            scope[section] = Annotated[tuple[Name, ...], doc(text, [kind.prune.scope])], ()
            keys = keys or {"prune": [{section: kind.prune.example}], "scope": [{section: [kind.prune.scope]}]}
    blocks = {"prune": with_keys(Prune, prune), "scope": with_keys(Reach, scope), "limits": with_keys(Limits, _limits(kinds))}
    blocks["lint"] = with_keys(Lint, _patterns(kinds))
    fields = {name: describe(Policy, name, annotation=block, default=block()) for name, block in blocks.items()}
    fields |= {name: describe(Policy, name, annotation=blocks[name], default=blocks[name](), examples=keys[name]) for name in keys}
    # Keys stand in the order of the bases, the last one first.
    return with_keys(Policy, fields, with_keys(Strictness, _make_undeclared(kinds)))


def _make_undeclared(kinds: Kinds) -> Keys:
    text = "Live {} that no file declares: say nothing, list them, or count them as drift."
    words = Literal["ignore", "report", "drift"]
    sections = [kind.section for kind in kinds if kind.reports_undeclared]
    return {f"undeclared_{section}": (Annotated[words, doc(text.format(section), "drift")], "report") for section in sections}


def _patterns(kinds: Kinds) -> Keys:
    text = "A regular expression that the names of {} are to match; none: any name will do."
    sections = [kind.section for kind in kinds if kind.is_named_by_people]
    return {f"{PATTERN}{section}": (Annotated[Pattern, doc(text.format(section), "^[a-z][a-z0-9-]*$")], "") for section in sections}


def _limits(kinds: Kinds) -> Keys:
    words = {**kinds.words, **{word.capitalize(): text.capitalize() for word, text in kinds.words.items()}}
    return {name: describe(Limits, name, description=str(info.description).format(**words)) for name, info in Limits.model_fields.items()}


def describe(base: type[StrictModel], name: str, **about: Any) -> Any:
    """A field of a model, for one that inherits it; `about` is what is another there."""
    info = copy(base.model_fields[name])
    for key, value in about.items():
        setattr(info, key, value)
    return info.annotation, info


def with_keys(base: type[Model], fields: Keys, *beside: type[StrictModel]) -> type[Model]:
    """A model of the same name and meaning, with these keys more."""
    bases: Any = (base, *beside)
    model: type[Model] = create_model(base.__name__, __base__=bases, __doc__=base.__doc__, **fields)
    return model
