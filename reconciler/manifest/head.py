"""What a manifest says beside its sections, and what a policy file may hold."""

from __future__ import annotations

from functools import cache, partial
from types import GenericAlias
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, WithJsonSchema

from reconciler.core.model.kinds import Kinds
from reconciler.core.model.policies import Model, describe, policy_model, with_keys
from reconciler.core.model.policy import ApprovalEntry, Policy, StrictModel
from reconciler.core.model.scalars import Name, NotNull, doc
from reconciler.core.model.written import quote


class PinEntry(StrictModel):
    """The pin: a token for any other workspace is refused. A plan without a pin warns."""

    app_id: Annotated[Name | None, NotNull, doc("The id of the workspace, as `reconciler auth status` prints it.", "ecahpwf5")] = None
    region: Annotated[Literal["us", "eu", "au"] | None, NotNull, doc("Where Intercom hosts the workspace.", "eu")] = None


class EnvEntry(StrictModel):
    """One environment: its overlays are the files `*.NAME.yaml`, which are read with `--env NAME` alone."""

    sections: tuple[str, ...] | None = None


class Head(StrictModel):
    """What a manifest says beside its sections."""

    name: Annotated[
        Name, doc("Whose manifest this is: the ledger keeps what is ours under it. Required where several can reach the ledger.", "growth")
    ] = "default"
    workspace: Annotated[PinEntry, doc("The pin: the one workspace that the manifest is for.", {"app_id": "ecahpwf5", "region": "eu"})] = (
        PinEntry()
    )
    policy: Annotated[Policy, doc("What a plan may do.", {"links": "additive", "limits": {"deletes": 2}})] = Policy()
    approvals: Annotated[
        tuple[ApprovalEntry, ...],
        doc(
            "Approvals of changes that a gate refused.",
            [{"hash": "40ad9ed865cf", "people": 2, "reason": "The trials are over", "by": "Inara Serra", "expires": "2026-12-31"}],
        ),
    ] = ()
    rules: Annotated[tuple[StrictModel, ...], doc("Who has something by what is true of them, instead of by a list.", [])] = ()
    envs: Annotated[
        dict[str, EnvEntry], doc("Environments by their names: those that have no overlay, or do without some sections.", {"test": {}})
    ] = {}


class PolicyFile(StrictModel):
    """What `--policy FILE` may hold: the rules of the base branch."""

    policy: Policy = Policy()
    approvals: tuple[ApprovalEntry, ...] = ()


@cache
def head_model(kinds: Kinds) -> type[Head]:
    """The head of manifests of these kinds."""
    head, some = _of_kinds(Head, kinds), list(kinds.by_section)[:2]
    section = Annotated[str, AfterValidator(partial(_section, kinds)), WithJsonSchema({"enum": list(kinds.by_section)})]
    sections: Any = (
        Annotated[tuple[section, ...] | None, NotNull, doc("The sections that it has; all where none are named.", some)],
        None,
    )
    env = with_keys(EnvEntry, {"sections": sections})
    envs = describe(head, "envs", annotation=GenericAlias(dict, (str, env)), examples=[{"test": {"sections": some}}])
    if kinds.ruling is None:
        return with_keys(head, {"envs": envs})
    rules = GenericAlias(tuple, (kinds.ruling.entry, ...))
    return with_keys(head, {"envs": envs, "rules": describe(head, "rules", annotation=rules)})


def _section(kinds: Kinds, name: str) -> str:
    if name not in kinds.by_section:
        raise ValueError(f"{quote(name)} is no section; write {', '.join(kinds.by_section)}")
    return name


@cache
def policy_file_model(kinds: Kinds) -> type[PolicyFile]:
    """A policy file where there are these kinds."""
    return _of_kinds(PolicyFile, kinds)


def _of_kinds(base: type[Model], kinds: Kinds) -> type[Model]:
    policy = policy_model(kinds)
    return with_keys(base, {"policy": describe(base, "policy", annotation=policy, default=policy())})
