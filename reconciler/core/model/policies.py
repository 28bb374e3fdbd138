"""The policy of a list of kinds: what each of them adds to its keys."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import create_model

from reconciler.core.model.kinds import Kinds
from reconciler.core.model.policy import Policy, Prune, Reach, Strictness, Written
from reconciler.core.model.scalars import Name, doc


@cache
def policy_model(kinds: Kinds) -> type[Policy]:
    """The model of a policy for these kinds: `prune` and `scope` have a key for each that can be pruned."""
    prune, scope, undeclared = {}, {}, {}
    for kind in kinds:
        section, names = kind.section, kind.identities[0].field
        if kind.prune:
            text = f"The {section} that `prune: {{{section}: all}}` may delete, as globs of {names}s."
            scope[section] = (Annotated[tuple[Name, ...], doc(text, [kind.prune.scope])], ())
            text = f"Which undeclared {section} are deleted."
            prune[section] = (Annotated[Literal["never", "owned", "all"], doc(text, kind.prune.example)], "never")
        if kind.undeclared:
            text = f"Live {section} that no file declares: say nothing, list them, or count them as drift."
            undeclared[f"undeclared_{section}"] = (Annotated[Literal["ignore", "report", "drift"], doc(text, "drift")], "report")
    of_kinds = {"prune": _with_keys(Prune, prune), "scope": _with_keys(Reach, scope)}
    # Keys stand in the order of the bases, the last one first.
    middle = _with_keys(Strictness, undeclared)
    fields = {name: (Annotated[model, *Policy.model_fields[name].metadata], model()) for name, model in of_kinds.items()}
    return create_model("Policy", __base__=(Policy, middle), __doc__=Policy.__doc__, **fields)


def _with_keys(base: type[Written], fields: dict[str, Any]) -> Any:
    return create_model(base.__name__, __base__=base, __doc__=base.__doc__, **fields)
