"""The knife as Python sees it: compiling and preloading it, arming it, and reading what it noted.

Belongs here: ``knife.c`` and its constants. Does not: who is cut when (``trials``).
"""

from __future__ import annotations

import ctypes
import enum
import errno
import functools
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

__all__ = ["FILES", "Call", "Kind", "Way", "arm", "calls", "compiled", "is_loaded", "rest", "with_knife"]

_SOURCE = Path(__file__).with_name("knife.c")


class Kind(enum.IntFlag):
    """Kinds of calls that are counted; the numbers are those of ``knife.c``."""

    DATA = 1
    """Bytes into a file."""
    SYNC = 2
    NAME = 4
    """Rename, link, unlink, a folder made or removed."""
    SIZE = 8
    """A file cut or grown."""
    MAKE = 16
    """A file opened that is made or emptied by it."""
    LOOK = 32
    """Any other opening of a file."""
    SENT = 64
    """Bytes to a server."""
    GOT = 128
    """Bytes of a server's answer, which have arrived."""


FILES = Kind.DATA | Kind.SYNC | Kind.NAME | Kind.SIZE | Kind.MAKE


class Way(enum.IntEnum):
    """What happens at the call; the numbers are those of ``knife.c``."""

    PASS = 0
    BEFORE = 1
    """The process is killed, and the call does not happen."""
    HALF = 2
    """Half of the bytes are written, then the process is killed; of other calls the same as `BEFORE`."""
    AFTER = 3
    """The call happens, then the process is killed."""
    REFUSE = 4
    """The call does not happen and returns an error."""
    REFUSE_FROM = 5
    """This call and every later one."""
    SHORT = 6
    """Half of the bytes are written, and the call says so."""
    LOSE = 7
    """The answer has come and is thrown away; the line is dead."""


class Call(NamedTuple):
    """A counted call as it was noted: what, on which path, to which (or which size), at which offset, which bytes."""

    name: str
    path: str
    other: str
    offset: int
    data: bytes

    @property
    def what(self) -> str:
        """The call and its path, for people."""
        return f"{self.name} {self.path}{' → ' + self.other if self.other else ''}"


@functools.cache
def compiled(folder: Path) -> Path:
    """The shared object, made in that folder if it is not there; raises `RuntimeError` where there is no C compiler."""
    name = f"knife-{hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]}.so"
    target = folder / name
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        new = target.with_suffix(f".{os.getpid()}")
        command = [
            os.environ.get("CC", "cc"),
            "-O1",
            "-Wall",
            "-Werror",
            "-shared",
            "-fPIC",
            "-o",
            str(new),
            str(_SOURCE),
        ]
        try:
            subprocess.run([*command, "-ldl", "-lpthread"], check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise RuntimeError("there is no C compiler: apt-get install gcc libc6-dev, or name one in CC") from None
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"{_SOURCE} does not compile: {error.stderr}") from None
        new.replace(target)
    return target


def is_loaded() -> bool:
    """Whether this process was started with the knife."""
    return "knife-" in os.environ.get("LD_PRELOAD", "")


def with_knife(folder: Path, module: str) -> NoReturn:
    """Become ``python -m MODULE`` with this process's arguments and the knife preloaded."""
    environment = {**os.environ, "LD_PRELOAD": str(compiled(folder)), "PYTHONDONTWRITEBYTECODE": "1"}
    os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], environment)


@functools.cache
def _library() -> ctypes.CDLL:
    assert is_loaded(), "start this by with_knife"
    library = ctypes.CDLL(os.environ["LD_PRELOAD"])
    library.knife_arm.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long, *[ctypes.c_int] * 3]
    library.knife_rest.restype = ctypes.c_long
    return library


def arm(
    folder: Path, kinds: Kind = FILES, at: int = -1, way: Way = Way.PASS, code: int = errno.EIO, log: int = -1
) -> None:
    """Count calls of those kinds below the folder from nought; see ``knife.c``.

    Args:
        folder: without links in its path.
        kinds: what counts.
        at: the number of the call at which ``way`` happens; -1 for none.
        way: what happens.
        code: the error of a refused call, a number of `errno`.
        log: a descriptor that every counted call is written to; -1 for none.
    """
    _library().knife_arm(os.fsencode(folder), int(kinds), at, int(way), code, log)


def rest() -> int:
    """Count no more; returns how many calls there were."""
    return int(_library().knife_rest())


def calls(log: Path) -> Iterator[Call]:
    """What was noted, in order."""
    content, place = log.read_bytes(), 0
    while place < len(content):
        end = content.index(b"\n", place)
        name, path, other, offset, length = os.fsdecode(content[place:end]).split("\t")
        place = end + 1
        data = content[place : place + int(length)] if name in ("write", "send") else b""
        place += len(data)
        yield Call(name, path, other, int(offset), data)
