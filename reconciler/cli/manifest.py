"""Verbs that look at the manifest alone: validate, schema."""

from __future__ import annotations

import json

import click

from reconciler.cli.help import Verb
from reconciler.cli.options import ENV, PATHS, ManifestOptions, gather
from reconciler.errors import Invalid


@click.command(cls=Verb)
@PATHS
@ENV
@click.option("--full", is_flag=True, help="List every place of a mistake, however many they are.")
@gather(source=ManifestOptions)
def validate(source: ManifestOptions, full: bool) -> None:
    """Check a manifest offline: everything that can be seen without Intercom.

    A mistake that stands in many places is told once, with their number and the first three of them.

    \b
    Example:
      reconciler validate intercom/
    """
    # Help needs none of it, and models take a fifth of a second.
    from reconciler.manifest.read import count_declared

    try:
        manifest = source.read()
    except Invalid as invalid:
        raise Invalid(invalid.problems, full=full) from None
    counts = count_declared(manifest)
    click.echo(f"valid: {', '.join(f'{section} {n}' for section, n in counts.items()) or 'nothing declared'}", err=True)


@click.command(cls=Verb)
@click.option("--facts", is_flag=True, help="Print that of intercom-facts.json instead.")
@click.option("--overlay", is_flag=True, help="Print that of overlays, as x.prod.yaml, instead.")
def schema(facts: bool, overlay: bool) -> None:
    """Print the JSON Schema of manifests, for editors.

    VS Code, with the extension YAML by Red Hat, checks and completes a manifest that
    begins with this line; the path is relative to the manifest:

    \b
      # yaml-language-server: $schema=../intercom.schema.json

    Or attach it to a whole folder in .vscode/settings.json:

    \b
      {"yaml.schemas": {"./intercom.schema.json": ["intercom/**/*.yaml"]}}

    \b
    Example:
      reconciler schema > intercom.schema.json
    """
    # As above.
    from reconciler.core.model.facts import FactsFile
    from reconciler.manifest.schema import DIALECT, for_editors, manifest_schema

    document = {"$schema": DIALECT, **FactsFile.model_json_schema()} if facts else for_editors(manifest_schema(overlay=overlay))
    click.echo(json.dumps(document, indent=2))
