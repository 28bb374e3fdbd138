"""The file of facts: found beside the manifest or in our own folder, and read only where it counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from reconciler.core.model.facts import FILE, FactsFile
from reconciler.core.model.jsons import parse_json
from reconciler.errors import Invalid, Mark, Problem


def find_facts(paths: Sequence[str], home: Path) -> Path | None:
    """The file beside a manifest of these paths, or in this folder without any; else the one in our own folder."""
    folders = [path if path.is_dir() else path.parent for path in map(Path, paths or (".",))]
    return next((folder / FILE for folder in (*folders, home) if (folder / FILE).is_file()), None)


def read_found(paths: Sequence[str], home: Path, version: str, say: Callable[[str], object]) -> FactsFile | None:
    """What is found there, under the API version that is asked; says where that is another one. Raises Invalid for a file that cannot be
    read."""
    if (path := find_facts(paths, home)) is None:
        return None
    file = read_facts(path)
    if file.api_version == version:
        return file
    say(f"{path} is of API version {file.api_version} and does not count under {version}")
    return None


def read_facts(path: Path) -> FactsFile:
    """Raises Invalid for a file that holds no facts."""
    try:
        return FactsFile.model_validate(parse_json(path.read_bytes()))
    except OSError as error:
        raise Invalid([Problem(Mark(str(path)), f"cannot be read: {error.strerror}")]) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        problem = f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
    except ValueError:
        problem = "is no JSON"
    raise Invalid([Problem(Mark(str(path)), problem, "make it anew with `reconciler doctor --probe`, or remove it")])
