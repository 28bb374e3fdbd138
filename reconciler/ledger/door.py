"""The one door to our folder: what is opened there is a regular file, never through a link; a checkout may have brought anything.

Whose it is does not matter: containers differ.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from reconciler.ledger.errors import NotAFile, unusable
from reconciler.ledger.folder import make

# What lies in the folder, or may: files, and folders of files.
FILES = ("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db-journal", "ledger.lock", "key", "last")
FOLDERS = ("images",)
# What is no regular file, as the system would refuse to use it as one.
_KINDS = (
    (stat.S_ISLNK, "it is a link, and none is followed here", errno.ELOOP),
    (stat.S_ISDIR, "it is a folder", errno.EISDIR),
    (stat.S_ISFIFO, "it is a pipe", errno.ESPIPE),
    (stat.S_ISSOCK, "it is a socket", errno.ENXIO),
    (stat.S_ISCHR, "it is a device", errno.ENODEV),
    (stat.S_ISBLK, "it is a device", errno.ENODEV),
    (stat.S_ISREG, "it is no folder", errno.ENOTDIR),
)


def check(folder: Path) -> None:
    """Raises NotAFile where our folder, or something in it that we use, is another kind of thing than it has to be."""
    check_folder(folder)
    for name in FOLDERS:
        check_folder(folder / name)
    for name in FILES:
        check_file(folder / name)


def check_folder(path: Path) -> None:
    """Raises NotAFile where something is there that is no folder."""
    mode = _mode(path)
    if mode is not None and not stat.S_ISDIR(mode):
        raise _refusal(path, mode)


def check_file(path: Path) -> None:
    """Raises NotAFile where something is there that is no regular file."""
    mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        raise _refusal(path, mode)


def open_file(path: Path, flags: int) -> int:
    """A descriptor of a regular file. Raises NotAFile for anything else, OSError as `os.open` does."""
    check_folder(path.parent)
    check_file(path)
    # A pipe would wait for its other end; somebody may have put one there meanwhile.
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if not stat.S_ISREG(mode := os.fstat(handle).st_mode):
        os.close(handle)
        raise _refusal(path, mode)
    return handle


def reader(path: Path) -> IO[bytes]:
    """To read a file. Raises as `opened` does."""
    return os.fdopen(open_file(path, os.O_RDONLY), "rb")


def writer(path: Path, *, new: bool = False) -> IO[bytes]:
    """To write a file anew, that only its owner can read; `new`: where none is. Raises as `opened` does."""
    if not new:
        check_folder(path.parent)
        check_file(path)
        # Under another name, which `cp -al` gives it, it stays as it is.
        path.unlink(missing_ok=True)
    return os.fdopen(open_file(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL), "wb")


def is_still(path: Path, handle: int) -> bool:
    """Whether an open file is what lies there now."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.lstat(), os.fstat(handle))
    return False


def has_other_names(handle: int) -> bool:
    """Whether an open file lies elsewhere too, so that what is written into it is written there."""
    return os.fstat(handle).st_nlink > 1


def make_folder(folder: Path) -> None:
    """Make our folder, unless it is there. Raises Usage in the home folder."""
    check_folder(folder)
    make(folder)


def files_in(folder: Path, pattern: str) -> Iterator[Path]:
    """The regular files of a folder. Raises NotAFile where it is none."""
    check_folder(folder)
    yield from (path for path in folder.glob(pattern) if stat.S_ISREG(_mode(path) or 0))


def _mode(path: Path) -> int | None:
    """What is there, not what it leads to; None where nothing is."""
    with unusable(str(path)):
        try:
            return path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None


def _refusal(path: Path, mode: int) -> NotAFile:
    what, number = next((what, number) for fits, what, number in _KINDS if fits(mode))
    return NotAFile(str(path), f"{what} ({os.strerror(number)})", "remove it, or put back what was there, and run again")
