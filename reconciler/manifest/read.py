"""Manifests: read from files, from a saved plan, from another revision; and the rules that go with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from reconciler.core.model.desired import Manifest, Pin
from reconciler.core.model.kinds import Kinds
from reconciler.core.plan.approvals import Rules, parse_approval
from reconciler.core.plan.document import Document
from reconciler.kinds import KINDS
from reconciler.manifest.load import load, load_policy, merge


def read_manifest(paths: Sequence[str], kinds: Kinds = KINDS) -> Manifest:
    """The manifest that files and folders hold. Raises Invalid with every problem that can be seen offline."""
    return load(kinds, paths)


def pin_in(paths: Sequence[str]) -> Pin | None:
    """The workspace that these files name, some of which may be no manifests."""
    from reconciler.manifest.pins import pin_in as found_in

    return found_in(paths)


def name_in(paths: Sequence[str], kinds: Kinds = KINDS) -> str | None:
    """Whose things the manifests among these files declare; None where none says."""
    from reconciler.manifest.pins import name_in as found_in

    return found_in(paths, [kind.section for kind in kinds])


def count_declared(manifest: Manifest, kinds: Kinds = KINDS) -> Mapping[str, int]:
    """How many entries each section has, where it has any."""
    counts = Counter(address.kind for address in manifest.resources)
    return {kind.section: counts[kind.name] for kind in kinds if counts[kind.name]}


def manifest_schema(kinds: Kinds = KINDS) -> Document:
    """The JSON Schema of manifests."""
    from reconciler.manifest.schema import schema

    return schema(kinds)


def base_manifest(manifest: Manifest, ref: str, kinds: Kinds = KINDS) -> Manifest:
    """The manifest of the same paths at the merge base of HEAD and a ref. Raises ReconcilerError, Invalid."""
    from reconciler.manifest.repository import documents

    return merge(kinds, documents(manifest.paths, ref), manifest.paths)


def read_rules(policy: str | None, approve: Sequence[str], max_calls: int | None) -> Rules:
    """The rules of the command line. Raises Usage, Invalid."""
    given = tuple(parse_approval(word) for word in approve)
    if policy is None:
        return Rules(given=given, max_calls=max_calls)
    file = load_policy(policy)
    return Rules(file.policy, file.approvals, given, max_calls)
