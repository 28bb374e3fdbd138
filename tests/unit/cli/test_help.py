"""Help: the verbs in groups, what verbs share in blocks of its own, and an example in each."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from reconciler.cli import GROUPS, VERBS, cli
from reconciler.cli.help import Shared, Verb


def list_commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every verb as typed, with its command."""
    if not isinstance(command, click.Group):
        yield words, command
        return
    for name in command.list_commands(click.Context(command)):
        verb = command.get_command(click.Context(command), name)
        assert verb
        yield from list_commands(verb, (*words, name))


TYPED = dict(list_commands(cli))
every_verb = pytest.mark.parametrize("words", TYPED, ids=" ".join)


def shown(*words: str) -> dict[str, str]:
    """What help shows: heading → the text below it, lines put together."""
    text = CliRunner().invoke(cli, [*words, "--help"], terminal_width=120).output
    heading, *blocks = re.split(r"^(\S.*):\n", text, flags=re.MULTILINE)
    return {"": heading, **{name: " ".join(block.split()) for name, block in zip(blocks[::2], blocks[1::2], strict=True)}}


def test_the_verbs_stand_in_their_groups() -> None:
    blocks = shown()
    assert list(blocks)[2:] == list(GROUPS)
    for group, verbs in GROUPS.items():
        assert blocks[group] == " ".join(f"{name} {text}" for name, (_, text) in verbs.items())
    assert [name for verbs in GROUPS.values() for name in verbs] == list(VERBS)


@every_verb
def test_what_a_verb_shares_stands_in_a_block_below_its_own(words: tuple[str, ...]) -> None:
    command = TYPED[words]
    assert isinstance(command, Verb)
    texts, blocks = shown(*words), [option.block for option in command.params if isinstance(option, Shared)]
    assert list(texts)[1:] == list(dict.fromkeys(["Options", *blocks]))
    for option in command.params:
        if isinstance(option, click.Option):
            block = option.block if isinstance(option, Shared) else "Options"
            assert re.search(rf"(^| ){option.opts[0]}\b", texts[block]), (option.opts, block)


@pytest.mark.parametrize("name", ["--base-url", "--sandbox", "--region", "--ledger", "--target", "--policy"])
def test_an_option_that_verbs_share_is_in_one_block_wherever_it_is(name: str) -> None:
    options = [
        option for command in TYPED.values() for option in command.params if name in option.opts and isinstance(option, click.Option)
    ]
    assert len(options) > 1
    assert len({option.block for option in options if isinstance(option, Shared)}) == 1
    assert [option for option in options if not isinstance(option, Shared)] == []


@every_verb
def test_a_verb_shows_an_example(words: tuple[str, ...]) -> None:
    assert f"reconciler {' '.join(words)}" in shown(*words)["Example" if "Example" in shown(*words) else ""]


def test_an_address_stands_at_target_as_an_example() -> None:
    for verb in ("plan", "apply"):
        assert "as in --target 'tag/*'" in shown(verb)["Part of the plan"]


def test_help_is_printed_without_the_import_of_a_model_or_a_report() -> None:
    done = subprocess.run([sys.executable, "-X", "importtime", "-m", "reconciler", "--help"], capture_output=True, text=True, timeout=60)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "reconciler.report.terminal" in imported
    assert not imported & {"pydantic", "rich", "reconciler.core", "reconciler.report.text"}
