"""Export, then plan: nothing is left, whatever is live. No reader of YAML takes a value for another one."""

from __future__ import annotations

import re
import string
from typing import Any

import yaml
from hypothesis import event, given, settings
from hypothesis import strategies as st

from reconciler.core.model.desired import Pin
from reconciler.core.model.written import Plain
from reconciler.manifest import reader
from reconciler.workflow.export import ExportScope, export, exportable, text_of
from tests.desk.route import Route, lines
from tests.desk.soak import times
from tests.properties.worlds import Doc, World, on_route, seeds

# What readers of YAML 1.1 take for something else than a text, or stumble over.
ODD = (
    *(
        "yes",
        "No",
        "ON",
        "y",
        "null",
        "~",
        "true",
        "0x1F",
        "0o7",
        "017",
        "1_000",
        "1e3",
        "12:30:45",
        "2026-01-31",
        ".inf",
        "=",
        "<<",
        "- a",
    ),
    *(
        "a: b",
        "#x",
        "a #x",
        "{a}",
        "[a",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "'",
        '"',
        "a,b",
        "?",
        "|",
        ">",
        "a\\b",
        "é",
        "İ",
        "ß",
        "x\u200by",
    ),
    *(
        " vip",
        "vip ",
        "vip",
        "VIP",
        "\u00a0",
        "a\tb",
        "a\x07b",
        "a\u2028b",
        "a\nb",
        "a\r\nb",
        "…",
        "\U0001f600",
        "id:5",
        "***",
        "",
        "-",
        "1.0",
        "+1",
    ),
)
NUMBER = re.compile(r"[-+.]*[0-9]")
texts = st.sampled_from(ODD) | st.text(string.printable + "é\u200d\ufeff\x85", max_size=6)


@st.composite
def odd_worlds(draw: Any) -> World:
    """The small pool of names that collide, and texts that are odd."""
    seed: Doc = draw(seeds())
    seed["tags"] += [tag for tag in (*ODD, *draw(st.lists(texts, max_size=6))) if tag and tag not in seed["tags"]]
    seed["attributes"] += [
        {"name": "since", "model": "contact", "data_type": "date"},
        {"name": "ratio", "model": "contact", "data_type": "float", "description": draw(texts)},
        {"name": "note", "model": "contact", "data_type": "string"},
        {"name": "dead", "model": "contact", "data_type": "string", "archived": True},
        {"name": "sort", "model": "contact", "data_type": "options", "options": draw(st.sampled_from((["a", "b"], ["no", "1.0"])))},
    ]
    # Names that are not one person's, or read like another one's, and what a manifest reads as something else.
    seed["companies"] += [{"company_id": "odd"}]
    seed["contacts"] += [
        {"id": f"{0xB1:024x}", "role": "lead", "email": "dee@mail.example"},
        {"id": f"{0xB2:024x}", "role": "user", "email": "dee@mail.example", "companies": ["odd"]},
        {"id": f"{0xB3:024x}", "role": "user", "external_id": "dee@mail.example"},
    ]
    for company in seed["companies"]:
        company |= {"name": draw(texts), "industry": draw(texts), "plan": draw(texts)}
    values = {
        "since": st.sampled_from((0, 1_700_000_000, 20_200_101)),
        "ratio": st.sampled_from((1e-07, 1e16, 1.5e300, 0.1)) | st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
        "note": texts,
        "dead": st.just("x"),
        "sort": st.sampled_from(("a", "no", "1.0")),
        "unknown": st.just("x"),
    }
    for contact in seed["contacts"]:
        contact["custom_attributes"] = contact.get("custom_attributes", {}) | draw(st.fixed_dictionaries({}, optional=values))
        contact |= {"name": draw(texts), "phone": draw(texts)}
    seed["contacts"][-1] |= {"name": "a\r\nb"}
    seed["contacts"][-2]["custom_attributes"] |= {"ratio": 1e-07, "note": "a${b", "sort": "a"}
    return World(seed, {}, {"fold_email": draw(st.booleans())})


def exported(route: Route, wanted: ExportScope) -> str:
    """What an export into nothing writes; it writes nothing to Intercom."""
    with route.session() as session:
        content = export(session, wanted)
        text = text_of(content, "default", Pin(session.here.app_id, session.here.region))
    assert not route.box.writes
    event(f"{len(content.omissions)} left out")
    return text


def hold_to_old_readers(text: str) -> None:
    """Every value is a text to a reader of YAML 1.1, or the number or flag that stands there without quotes."""
    pairs: list[tuple[Any, Any]] = [(reader.read(text.encode(), "out.yaml").value, yaml.safe_load(text))]
    while pairs:
        written, read = pairs.pop()
        if isinstance(read, dict):
            assert list(read) == list(written)
            pairs += zip(written.values(), read.values(), strict=True)
        elif isinstance(read, list):
            pairs += zip(written, read, strict=True)
        elif isinstance(read, str):
            assert read == written
            assert not (isinstance(written, Plain) and NUMBER.match(written))
        else:
            assert isinstance(written, Plain)
            assert read == (written == "true" if isinstance(read, bool) else float(written) if isinstance(read, float) else int(written))


@settings(max_examples=times(12))
@given(odd_worlds(), st.booleans())
def test_what_was_exported_is_as_it_is_live(world: World, with_links: bool) -> None:
    with on_route(world) as (route, _):
        text = exported(route, ExportScope(exportable(), with_links=with_links))
        hold_to_old_readers(text)
        assert [line for line in lines(route.document(route.manifest(text, "out.yaml"))) if not line.startswith("note")] == []
