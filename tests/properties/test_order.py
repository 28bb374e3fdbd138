"""A plan does not depend on the order of files and entries, nor on how entries are spread over files."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.plan.schema import PlanDocument
from tests.desk.route import Route
from tests.properties.worlds import Doc, World, on_route, worlds

SECTIONS = ("attributes", "tags", "companies", "contacts")


def without_places(route: Route, plan: PlanDocument) -> str:
    """The bytes of a document but for where things are written, which is the one thing that differs."""
    bare = {**plan, "manifest": {"digest": plan["manifest"]["digest"]}}
    text = json.dumps(_no_source(bare), indent=1)
    return re.sub(re.escape(str(route.folder)) + r"/\w+\.yaml(:\d+){0,2}", "PLACE", text)


def _no_source(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _no_source(item) for key, item in value.items() if key != "source"}
    return [_no_source(item) for item in value] if isinstance(value, list) else value


@st.composite
def spreads(draw: Any) -> tuple[World, list[Doc]]:
    """A world, and its manifest spread over three files in some order."""
    world = draw(worlds())
    files: list[Doc] = [{"policy": world.manifest["policy"]}, {}, {}]
    for section in SECTIONS:
        for file in files:
            file[section] = []
        for entry in draw(st.permutations(world.manifest[section])):
            draw(st.sampled_from(files))[section].append(entry)
    return world, draw(st.permutations([{k: file[k] for k in draw(st.permutations(sorted(file)))} for file in files]))


@given(spreads())
def test_a_plan_does_not_depend_on_the_order_of_files_and_entries(spread: tuple[World, list[Doc]]) -> None:
    world, files = spread
    with on_route(world) as (route, path):
        paths = [route.manifest(file, f"part{n}.yaml") for n, file in enumerate(files)]
        assert without_places(route, route.document(*paths)) == without_places(route, route.document(path))


@given(worlds())
def test_the_same_inputs_give_the_same_bytes(world: World) -> None:
    with on_route(world) as (route, path):
        assert json.dumps(route.document(path)) == json.dumps(route.document(path))
