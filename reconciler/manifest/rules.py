"""The rules that the command line gives: policy files, approvals, and how many calls a plan may need."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pydantic import ValidationError

from reconciler.core.model.kinds import Kinds
from reconciler.core.plan.approvals import Approvals, parse_approval
from reconciler.errors import Invalid, Mark, Problem
from reconciler.kinds import KINDS
from reconciler.manifest import files
from reconciler.manifest.head import PolicyFile, policy_file_model
from reconciler.manifest.sentences import Guesses, explain


def read_policy(path: str, kinds: Kinds = KINDS) -> PolicyFile:
    """A policy file. Raises Invalid."""
    if os.path.isdir(path):
        raise Invalid([Problem(Mark(path), "is a folder", "give the one file that holds the policy")])
    (document,) = files.read_all([path])
    model = policy_file_model(kinds)
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise Invalid(Problem(document.marks.of(loc), what) for what, loc in explain(error, model, Guesses())) from None


def read_approvals(policy: str | None, approve: Sequence[str], max_calls: int | None) -> Approvals:
    """The rules of the command line. Raises Usage, Invalid."""
    approvals = tuple(parse_approval(word) for word in approve)
    if policy is None:
        return Approvals(on_command_line=approvals, max_calls=max_calls)
    file = read_policy(policy)
    return Approvals(file.policy, file.approvals, approvals, max_calls)
