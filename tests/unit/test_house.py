"""The house rules that imports show: the core is pure, the sandbox stands alone, arrows point one way."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest
from pydantic import field_validator, model_validator

from reconciler.core.model.entry import Entry, Values
from reconciler.kinds import KINDS
from tests import ROOT

HOUSE = ROOT / "reconciler"
FILES = sorted(HOUSE.rglob("*.py"))

# What touches the world: files, sockets, clocks, processes, logs.
WORLD = {
    "asyncio", "fcntl", "http", "io", "logging", "os", "pathlib", "random", "requests", "secrets", "shutil", "signal", "socket",
    "sqlalchemy", "sqlite3", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "urllib3", "click", "rich", "yaml",
}  # fmt: skip
CALLS_OF_THE_WORLD = {"open", "print", "input"}

# From the bottom to the top; a room may import what stands in its row.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "core": {"errors"},
    "git": set(),
    "kinds": {"core"},
    "manifest": {"kinds", "core", "errors", "git"},
    "intercom": {"core", "errors"},
    "ledger": {"core", "errors", "git"},
    "execute": {"core", "errors"},
    "report": {"kinds", "core", "errors"},
    "sandbox": set(),
    "workflow": {"core", "errors", "kinds", "manifest", "intercom", "ledger", "execute", "sandbox"},
    "cli": {"workflow", "manifest", "kinds", "core", "errors", "report", "intercom", "ledger", "sandbox", "fleet"},
    "api": {"workflow", "manifest", "core", "errors", "report", "intercom", "ledger"},
    "fleet": {"api", "workflow", "manifest", "kinds", "core", "errors", "report", "intercom", "ledger"},
}

# Within a room: what stands upon what.
WITHIN: dict[str, set[str]] = {
    "core.model": set(),
    "core.search": {"core.model"},
    "core.compare": {"core.model"},
    "core.plan": {"core.model", "core.compare"},
    "core.record": {"core.model", "core.compare"},
    "core.undo": {"core.model", "core.compare", "core.plan", "core.record"},
    "intercom.http": set(),
    "intercom.login": {"intercom.http"},
}


@cache
def nodes_of(path: Path) -> Sequence[ast.AST]:
    """What stands in a file, read once for all rules."""
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imports(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path: Path) -> str:
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def name_of(path: Path) -> str:
    return str(path.relative_to(HOUSE))


@pytest.mark.parametrize("path", [p for p in FILES if room(p) in ("core", "kinds")], ids=name_of)
def test_core_and_kinds_touch_nothing_outside(path: Path) -> None:
    # urllib.parse only cuts and joins texts.
    assert {name.partition(".")[0] for name in imports(path) if not name.startswith("urllib.parse")} & WORLD == set()
    calls = [node.func for node in nodes_of(path) if isinstance(node, ast.Call)]
    assert {call.id for call in calls if isinstance(call, ast.Name)} & CALLS_OF_THE_WORLD == set()


@pytest.mark.parametrize("path", [p for p in FILES if room(p) == "sandbox"], ids=name_of)
def test_the_sandbox_imports_nothing_of_ours(path: Path) -> None:
    ours = {name for name in imports(path) if name.partition(".")[0] == "reconciler"}
    assert {name for name in ours if not name.startswith("reconciler.sandbox")} == set()


@pytest.mark.parametrize("path", [p for p in FILES if room(p) in MAY_IMPORT], ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("reconciler.")}
    assert ours - {room(path), "__version__"} <= MAY_IMPORT[room(path)]


@pytest.mark.parametrize("inner", sorted(WITHIN))
def test_imports_point_one_way_within_a_room(inner: str) -> None:
    outer = inner.partition(".")[0]
    for path in sorted((HOUSE / inner.replace(".", "/")).rglob("*.py")):
        ours = {".".join(name.split(".")[1:3]) for name in imports(path) if name.startswith(f"reconciler.{outer}.")}
        assert ours - {inner} <= WITHIN[inner], name_of(path)


def circle_in(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules of one circle, each imported by the next; empty where there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_a_circle_is_seen() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert set(circle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {".".join(("reconciler", *path.relative_to(HOUSE).with_suffix("").parts)).removesuffix(".__init__"): path for path in FILES}
    # Whoever imports a name of a module names both; a package counts only where its own file is meant.
    graph = {name: {target for target in imports(path) if target in names and target != name} for name, path in names.items()}
    packages = {name for name, path in names.items() if path.name == "__init__.py"}
    graph = {
        name: {t for t in targets if t not in packages or not any(o.startswith(f"{t}.") for o in targets)}
        for name, targets in graph.items()
    }
    assert circle_in(graph) == []


def test_no_room_is_a_face_of_others() -> None:
    faces = [name_of(p) for p in FILES if p.name == "__init__.py" and any(name.startswith("reconciler.") for name in imports(p))]
    # What host programs import, the list of kinds, the table of formats, the verbs and the package that the sandbox is for others.
    assert faces == ["__init__.py", "cli/__init__.py", "kinds/__init__.py", "report/__init__.py", "sandbox/__init__.py"]


# Where the engine says a kind's name or section, and why; nowhere else does it.
NAMES_A_KIND = {
    "core/model/facts.py": "what was asked of Intercom is about single endpoints",
    "intercom/probe/bench.py": "a probe makes and removes things of single endpoints",
    "intercom/probe/questions.py": "a probe asks single endpoints",
    "cli/__init__.py": "a family of verbs is called by its kind",
    "cli/docs.py": "the taxonomy is that of one kind",
    "cli/tag.py": "these verbs are about one kind",
    "core/model/entry.py": "what stands in the map of custom attributes is called so, whatever kind types it",
    "core/model/policy.py": "`missing_contacts` is a key of the contract, which its description explains",
    "core/model/texts.py": "what stands in the map of custom attributes is called so, whatever kind types it",
    "core/search/query.py": "`tag_id` is a type of Intercom's search, as `date` is",
    "ledger/homes/remote.py": "git has tags",
    "manifest/reader.py": "YAML has tags; and an example of a section",
    "manifest/unreadable.py": "YAML has tags",
}
# One of them as a word, alone or in a sentence; not in an address or a path, `tag/vip` or `/contacts/ID`, which are examples.
KIND_NAMED = re.compile(rf"(?<!/)\b({'|'.join(word for kind in KINDS for word in (kind.name, kind.section))})\b(?!/)", re.IGNORECASE)


def texts_in(path: Path) -> Iterator[str]:
    """The strings in the code of a file; docstrings are prose."""
    prose = {id(node.value) for node in nodes_of(path) if isinstance(node, ast.Expr)}
    yield from (n.value for n in nodes_of(path) if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in prose)


def test_the_engine_names_no_kind() -> None:
    engine = [path for path in FILES if room(path) not in ("kinds", "sandbox")]
    named = {name_of(path): [text for text in texts_in(path) if KIND_NAMED.search(text)] for path in engine}
    assert {name: texts for name, texts in named.items() if texts and name not in NAMES_A_KIND} == {}
    assert [name for name in NAMES_A_KIND if not named[name]] == [], "no longer needed in NAMES_A_KIND"


def rules_passed_over(entry: type[Entry]) -> list[str]:
    """The rules of an entry that entries in bulk are not held to, as these are no models. One before the keys are read only explains
    what is refused anyhow."""
    rules, own = entry.__pydantic_decorators__, {name for base in entry.__mro__[: entry.__mro__.index(Entry)] for name in vars(base)}
    whole = [name for name, rule in rules.model_validators.items() if rule.info.mode != "before"]
    return [name for name in (*whole, *rules.field_validators, *rules.validators, *rules.root_validators) if name in own]


def test_a_rule_that_is_passed_over_is_seen() -> None:
    class Held(Entry):
        @model_validator(mode="before")
        @classmethod
        def _explain(cls, written: object) -> object:
            return written

        @classmethod
        def check_values(cls, values: Values) -> None:
            """A rule where it belongs."""

    class PassedOver(Held):
        @model_validator(mode="after")
        def _check(self) -> PassedOver:
            return self

        @field_validator("protect")
        @classmethod
        def _check_key(cls, value: bool) -> bool:
            return value

    assert (rules_passed_over(Held), rules_passed_over(PassedOver)) == ([], ["_check", "_check_key"])


def test_entries_in_bulk_are_held_to_each_rule_of_their_kind() -> None:
    assert {kind.name: rules for kind in KINDS if (rules := rules_passed_over(kind.entry))} == {}, "write `check_values` instead"


def test_no_function_takes_a_dry_run_flag() -> None:
    named = [arg.arg for path in FILES for node in nodes_of(path) if isinstance(node, ast.arguments)
             for arg in (*node.args, *node.kwonlyargs)]  # fmt: skip
    assert [name for name in named if "dry" in name] == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_module_and_no_function_is_long(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    functions = [node for node in nodes_of(path) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    assert text.count("\n") <= 400
    assert [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= 40] == []


# Participles that do not end in -ed, and are no verbs or nouns as they stand: `read` and `set` are.
IRREGULAR = {
    "begun", "bound", "broken", "brought", "built", "caught", "chosen", "done", "drawn", "driven", "fallen", "fed", "forgotten",
    "found", "frozen", "given", "gone", "grown", "heard", "held", "hidden", "kept", "known", "laid", "left", "lost", "made", "meant",
    "met", "paid", "seen", "sent", "shown", "sold", "sought", "spoken", "spent", "stolen", "stuck", "struck", "taken", "taught",
    "thrown", "told", "torn", "understood", "withdrawn", "won", "worn", "written",
}  # fmt: skip


def is_participle(name: str) -> bool:
    """Whether a name is nothing but a past participle: `feed` and `agree` end as they do by nature."""
    word = name.strip("_")
    return word in IRREGULAR or re.fullmatch("[a-z]+[^e]ed|agreed|freed|guaranteed", word) is not None


def test_a_participle_is_seen() -> None:
    assert [word for word in ("masked", "_left", "told", "agreed") if not is_participle(word)] == []
    assert [word for word in ("mask", "is_masked", "masked_text", "seed", "feed", "read", "set") if is_participle(word)] == []


def test_functions_are_called_by_a_verb_or_by_the_noun_they_give() -> None:
    functions = ((name_of(path), node) for path in FILES for node in nodes_of(path) if isinstance(node, ast.FunctionDef))
    assert [f"{name}: {node.name}" for name, node in functions if is_participle(node.name)] == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_field_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in (node for node in nodes_of(path) if isinstance(node, ast.ClassDef)):
        heads = [*node.decorator_list, *node.bases]
        if any(word in ast.unparse(head) for head in heads for word in ("dataclass", "NamedTuple", "TypedDict")):
            fields = [part for part in node.body if isinstance(part, ast.AnnAssign) and ast.unparse(part.target) != "_"]
            bare = [
                field for field in fields if not (lines[field.lineno - 2].lstrip().startswith("#") or "  # " in lines[field.lineno - 1])
            ]
            assert [f"{node.name}.{ast.unparse(field.target)}" for field in bare] == []
