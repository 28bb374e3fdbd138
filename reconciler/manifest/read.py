"""Manifests: read from files, merged, and checked as far as that goes without Intercom."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from itertools import chain, islice
from typing import Any

import msgspec
from pydantic import BaseModel

from reconciler.core.model.address import Address, in_order
from reconciler.core.model.desired import Manifest, Pin
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.policy import IGNORED
from reconciler.core.model.rule import Rule
from reconciler.errors import Invalid
from reconciler.kinds import KINDS
from reconciler.manifest import files
from reconciler.manifest.contents import Contents
from reconciler.manifest.head import Head
from reconciler.manifest.layers import BASE, Layers, SortedFiles, check_known, sort_out
from reconciler.manifest.resources import check_circles, check_former, check_successors, resource_of
from reconciler.manifest.ruling import read_rules
from reconciler.manifest.sections import read_documents
from reconciler.manifest.source import Source

# So many entries are digested at once.
BATCH = 500


def read_manifest(paths: Sequence[str], kinds: Kinds = KINDS, layers: Layers = BASE) -> Manifest:
    """The manifest that files and folders hold, with layers over its base. Raises Invalid with every problem that can be seen offline,
    and Usage for an environment of which the files know nothing."""
    source = files.on_disk(paths, layers)
    sources = sort_out(source, paths, layers)
    check_known(sources, layers)
    return _assemble(sources, source, paths, kinds, layers)


def base_manifest(manifest: Manifest, ref: str, kinds: Kinds = KINDS, layers: Layers = BASE) -> Manifest:
    """The manifest of the same paths at the merge base of HEAD and a ref. Raises ReconcilerError, Invalid."""
    from reconciler.manifest.repository import at_revision

    return merge(at_revision(manifest.paths, ref, layers), manifest.paths, kinds, layers)


def merge(source: Source, paths: Sequence[str], kinds: Kinds = KINDS, layers: Layers = BASE) -> Manifest:
    """The manifest that the files of a source make together. Raises Invalid."""
    return _assemble(sort_out(source, paths, layers), source, paths, kinds, layers)


def _assemble(files: SortedFiles, source: Source, paths: Sequence[str], kinds: Kinds, layers: Layers) -> Manifest:
    contents = Contents(kinds, files.problems, {problem.mark for problem in files.problems}, source.open_list, layers)
    contents.files += (document.file for document in chain(files.base, *files.overlays))
    head = read_documents(contents, files.base, files.overlays)
    # As it is written: another mistake in the head makes no former name one.
    policy = contents.head.get("policy")
    contents.accepts_former = isinstance(policy, dict) and policy.get("former_names") == "accept"
    contents.items = {address: contents.items[address] for address in in_order(contents.items)}
    resources = {address: resource_of(contents, item) for address, item in contents.items.items()}
    for double in contents.doubles:
        resource_of(contents, double)
    check_former(contents)
    check_circles(contents, resources)
    check_successors(contents, resources)
    rules = read_rules(contents, resources, head.policy)
    if contents.problems:
        raise Invalid(contents.problems)
    return Manifest(
        resources=resources,
        policy=head.policy,
        name=head.name,
        pin=Pin(head.workspace.app_id, head.workspace.region) if head.workspace.model_fields_set else None,
        paths=tuple(paths),
        digest=_digest(head, contents, rules),
        sections=frozenset(contents.sections),
        approvals=head.approvals,
        files=tuple(dict.fromkeys(contents.files)),
        has_name="name" in head.model_fields_set,
        env=layers.env,
        environments=files.environments,
        rules=rules,
    )


def _digest(head: Head, contents: Contents, rules: Mapping[Address, Rule]) -> str:
    """A digest of what is declared: comments, line ends, the order of files and entries, and approvals and known drift do not count."""
    policy: Any = {IGNORED} if head.policy.model_fields_set - {IGNORED} else True
    sha = hashlib.sha256(head.model_dump_json(exclude_unset=True, exclude={"approvals": True, "envs": True, "policy": policy}).encode())
    encoder = msgspec.json.Encoder(order="deterministic", enc_hook=_write_out)
    items = ((address, item.values) for address, item in contents.items.items())
    while batch := list(islice(items, BATCH)):
        try:
            sha.update(encoder.encode(batch))
        except (OverflowError, UnicodeEncodeError):
            # It takes no numbers of more than 64 bits and no halves of surrogate pairs.
            sha.update(json.dumps(batch, sort_keys=True, default=_write_out).encode())
    sha.update(json.dumps(sorted(contents.sections)).encode())
    for address, rule in sorted(rules.items()):
        sha.update(json.dumps([*address, rule.digest, sorted(rule.limits.items()), astuple(rule.expected)]).encode())
    return sha.hexdigest()


def _write_out(value: Any) -> Any:
    """What JSON has no form for."""
    return value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else str(value)


def count_declared(manifest: Manifest, kinds: Kinds = KINDS) -> Mapping[str, int]:
    """How many entries each section has, where it has any."""
    counts = Counter(address.kind for address in manifest.resources)
    return {kind.section: counts[kind.name] for kind in kinds if counts[kind.name]}
