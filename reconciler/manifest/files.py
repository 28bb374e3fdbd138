"""Paths of the command line → the manifest files they mean; a path that yields none is an error."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from reconciler.errors import Invalid, Mark, Problem, ReconcilerError
from reconciler.manifest.layers import BASE, Layers, env_of, paths_with_overlays
from reconciler.manifest.reader import Document, read_far
from reconciler.manifest.source import SUFFIXES, Source, Unopened, path_beside, read_documents


class _Unusable(Unopened):
    """A path that yields no file."""

    def __init__(self, path: str, what: str, now: str) -> None:
        self.problem = Problem(Mark(path), what, now)
        super().__init__(what, now)


def find(paths: Sequence[str]) -> list[str]:
    """The files that the paths mean, each once, in the order of the paths and sorted within folders.

    Hidden files and folders are passed over inside a folder, not where a path names them. Raises Invalid for all paths that yield none.
    """
    files: dict[tuple[int, int, str], str] = {}
    problems = []
    for path in paths:
        try:
            for file in _files(path):
                # Two environments may share one overlay, by a link.
                files.setdefault((*_identity(file), env_of(file)), file)
        except _Unusable as unusable:
            problems.append(unusable.problem)
    if problems:
        raise Invalid(problems)
    return list(files.values())


def _identity(path: str) -> tuple[int, int]:
    """What all spellings of a path, and all links to one file, have in common: its device and inode."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise _unreadable(path, error) from None
    except ValueError:
        # A NUL, or half of a surrogate pair.
        raise _Unusable(path, "is no path that a system knows", "check it") from None
    return status.st_dev, status.st_ino


def _unreadable(path: str, error: OSError) -> _Unusable:
    if isinstance(error, FileNotFoundError) and os.path.islink(path):
        return _Unusable(path, f"the link leads to {os.readlink(path)}, which does not exist", "repair or remove the link")
    if isinstance(error, FileNotFoundError):
        return _Unusable(path, "there is no such file or folder", "check the path")
    return _Unusable(path, f"cannot be read ({error.strerror or error})", "check its permissions and links")


def _files(path: str) -> list[str]:
    _identity(path)
    if os.path.isdir(path):
        return _in_folder(path)
    if not path.lower().endswith(SUFFIXES):
        raise _Unusable(path, "is not a YAML file by its name", "a manifest's name ends with .yaml or .yml")
    if not os.path.isfile(path):
        raise _Unusable(path, "is not a file", "give a file or a folder")
    return [path]


def holds_manifest(folder: str) -> bool:
    """Whether a folder holds a file that `find` would find, or one that it could not."""
    try:
        return os.path.isdir(folder) and next(_walk(folder, ()), None) is not None
    except _Unusable:
        return True


def _in_folder(path: str) -> list[str]:
    files = list(_walk(path, ()))
    if not files:
        raise _Unusable(path, "the folder holds no *.yaml or *.yml file", "give a folder with manifests")
    return files


def _walk(folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    """Every manifest below a folder, sorted by name; links are followed, a link back to a folder above is not."""
    here = _identity(folder)
    if here in above:
        return
    for name in _names(folder):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            yield from _walk(path, (*above, here))
        elif name.lower().endswith(SUFFIXES):
            yield from _files(path)


def _names(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise _unreadable(folder, error) from None


def on_disk(paths: Sequence[str], layers: Layers = BASE) -> Source:
    """The files that the paths mean, with the overlays of those that name a file. Raises Invalid as `find` does."""
    return Source(find([p for p in paths_with_overlays(paths, layers) if p in paths or os.path.isfile(p)]), _read, open_list)


def read_all(paths: Sequence[str]) -> list[Document]:
    """All files that the paths mean, read. Raises one Invalid with the problems of all of them."""
    source = on_disk(paths)
    documents, problems = read_documents(source, source.names)
    if problems:
        raise Invalid(problems)
    return documents


def _read(file: str) -> tuple[Document | None, Sequence[Problem]]:
    try:
        return read_far(read_bytes(file), file)
    except Invalid as invalid:
        return None, invalid.problems


def read_bytes(file: str) -> bytes:
    """What a file holds. Raises Invalid."""
    if os.path.exists(file) and not os.path.isfile(file):
        # Reading a pipe would wait for ever.
        raise Invalid([_Unusable(file, "is not a file", "give a file or a folder").problem])
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise Invalid([_unreadable(file, error).problem]) from None


@contextmanager
def lock_folders(folders: Iterable[Path]) -> Iterator[None]:
    """The right to write in folders, which one process of ours has at a time, where their file system knows locks."""
    with ExitStack() as stack:
        for folder in sorted(folder for folder in folders if folder.is_dir()):
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def replace_all(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    """Replace files, all or none; `before` is what each held when it was read. Raises ReconcilerError where one holds something else by
    now, and OSError."""
    paths = {file: Path(file).resolve() for file in after}
    with lock_folders({path.parent for path in paths.values()}):
        for file, path in paths.items():
            if (path.read_bytes() if path.exists() else b"") != before.get(file, b""):
                raise ReconcilerError(f"{file}: somebody else changed it just now; nothing was written, run this again")
        write_all({path: after[file] for file, path in paths.items()})


def write_all(texts: Mapping[Path, bytes], mode: int | None = None) -> None:
    """Replace files by others, each in one step and none before all of them are on the disk; they keep their modes where none is given.
    Raises OSError with the file; what was there stays then."""
    temporary: dict[str, Path] = {}
    at = Path()
    try:
        for at, text in texts.items():
            at.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=at.parent, prefix=f".{at.name}.")
            temporary[name] = at
            with os.fdopen(handle, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(handle)
            os.chmod(name, mode or (at.stat().st_mode if at.exists() else 0o644))
        for name, at in temporary.items():
            os.replace(name, at)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(at)) from None
    finally:
        for name in temporary:
            Path(name).unlink(missing_ok=True)


def open_list(manifest: str, name: str) -> tuple[str, BinaryIO]:
    """A list that a manifest file names, if it lies in that one's folder or below. Raises Unopened."""
    path = path_beside(manifest, name)
    try:
        folder, target = Path(manifest).parent.resolve(), Path(path).resolve()
        if not target.is_relative_to(folder):
            raise Unopened(f"the link {path} leads out of the folder of this file", "put the list itself there")
        if target.exists() and not target.is_file():
            raise Unopened(f"{path} is not a file", "give a file")
        return path, target.open("rb")
    except RuntimeError:
        # A circle, before Python 3.13.
        raise Unopened(f"the link {path} leads back to itself", "put the list itself there") from None
    except OSError as error:
        unusable = _unreadable(path, error)
        raise Unopened(f"{path}: {unusable.what}", unusable.now) from None


def read_texts(names: Sequence[str]) -> dict[str, str]:
    """The text of every file, by its name. Raises Invalid where one cannot be read any more."""
    texts = {}
    for name in names:
        try:
            texts[name] = read_bytes(name).decode("utf-8-sig")
        except (Invalid, UnicodeDecodeError):
            raise Invalid([Problem(Mark(name), "cannot be read as UTF-8 any more", "plan again")]) from None
    return texts
