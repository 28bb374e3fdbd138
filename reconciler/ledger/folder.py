"""Our folder, `.reconciler/`: which one is meant, and how a new one is made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from reconciler.errors import Usage

NAME = ".reconciler"
# The file of the local workspace in it.
SANDBOX = "sandbox.db"


def root_of(folder: Path) -> Path | None:
    """The root of the repository that a folder lies in; None where it lies in none. Git is not asked."""
    return next((above for above in (folder, *folder.parents) if os.path.exists(above / ".git")), None)


def our_folder(paths: Sequence[str] = ()) -> Path:
    """The nearest one from here up to the root of the repository; where there is none, the place of a new one, which may not be there:
    the root of the repository of the first path, without one here. Raises Usage where the working directory is gone."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise Usage("the working directory is gone; go to one that is there") from None
    root = root_of(here) or here
    above = (folder for folder in (here, *here.parents) if folder.is_relative_to(root))
    # What lies there and is no folder is refused by whoever opens it.
    near = next((folder for folder in above if os.path.lexists(folder / NAME)), None)
    folder = near or root_of(Path(os.path.abspath(paths[0] if paths else here))) or here
    return Path(os.path.relpath(folder / NAME)) if folder.is_relative_to(root) else folder / NAME


def check_home(folder: Path) -> None:
    """Raises Usage where a new one would lie in the home folder."""
    if not folder.exists() and _is_home(folder.absolute().parent):
        now = "make one in the folder of the manifest (mkdir .reconciler), and run this there"
        raise Usage(f"a new {NAME}/ would lie in your home folder, for all that is below it; {now}")


def make(folder: Path) -> None:
    """Make it, unless it is there; Git leaves out all that lies in it: git-scm.com/docs/gitignore. Raises Usage in the home folder, or
    where a link stands in its place."""
    if folder.is_symlink():
        raise Usage(f"{folder} is a link, and none is followed here; remove it, or put back what was there")
    check_home(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError), os.fdopen(os.open(folder / ".gitignore", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(b"*\n")


def _is_home(folder: Path) -> bool:
    try:
        return folder.samefile(Path.home())
    except (OSError, RuntimeError):
        # There is no home folder, or it is not there.
        return False
