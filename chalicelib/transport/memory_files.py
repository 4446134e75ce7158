"""Files and open files of a host that is in memory: what programs of `memory` read and write.

Errors are the operating system's (`OSError`), for programs to say as real ones do. Everybody may do
everything, as root may; modes and owners are kept and not obeyed. There are no links.
"""

import copy
import errno
import os
import posixpath
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

__all__ = ["Buffer", "Descriptor", "Device", "Fed", "File", "Files", "Folder", "Sink", "failure"]


@dataclass(slots=True, kw_only=True)
class File:
    """A regular file; who has it open sees what others write."""

    content: bytearray = field(default_factory=bytearray)
    mode: int = 0o644
    owner: str = "root"
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)


@dataclass(slots=True, kw_only=True)
class Folder:
    """A directory; what is in it is told by the paths."""

    mode: int = 0o755
    owner: str = "root"


@dataclass(slots=True, kw_only=True)
class Device:
    """Takes everything, and gives one byte without end, or nothing."""

    gives: bytes = b""
    mode: int = 0o666
    owner: str = "root"


def failure(number: int, path: str | None = None) -> OSError:
    """Return the error of that number, as the system would raise it."""
    return OSError(number, os.strerror(number), path)


class Descriptor:
    """An open file; redirections and copies of a shell share it."""

    def read(self, size: int) -> bytes:
        """Return so many bytes or fewer; none at the end."""
        del size
        raise failure(errno.EBADF)

    def write(self, data: bytes) -> None:
        """Add the bytes where this stands."""
        del data
        raise failure(errno.EBADF)

    def locked(self) -> bool:
        """Lock the file, unless another descriptor did, and return whether it is this one's."""
        raise failure(errno.EBADF)

    def close(self) -> None:
        """Let go of the lock, if it is this one's. Safe to repeat."""
        return


class Fed(Descriptor):
    """An input that comes in pieces, each asked for when it is needed."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        """Ask for nothing yet."""
        self._pieces = pieces
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Return the next bytes. What the pieces raise is raised."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = memoryview(piece)
        taken, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return taken


class Sink(Descriptor):
    """An output that somebody takes."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        """Remember who takes it."""
        self._take = take

    def write(self, data: bytes) -> None:
        """Hand the bytes on."""
        self._take(data)


class Buffer(Descriptor):
    """A pipe or a document: what was written can be read once."""

    def __init__(self, data: bytes = b"") -> None:
        """Begin with what was written already."""
        self.data = bytearray(data)
        self._read = 0

    def read(self, size: int) -> bytes:
        """Return what comes next."""
        taken = bytes(self.data[self._read : self._read + size])
        self._read += len(taken)
        return taken

    def write(self, data: bytes) -> None:
        """Add to the end."""
        self.data += data


class _OpenFile(Descriptor):
    def __init__(self, file: File, operator: str) -> None:
        self._file, self._operator, self._place = file, operator, 0
        self._locked = False

    def read(self, size: int) -> bytes:
        if self._operator not in {"<", "<>"}:
            raise failure(errno.EBADF)
        taken = bytes(self._file.content[self._place : self._place + size])
        self._place += len(taken)
        return taken

    def write(self, data: bytes) -> None:
        if self._operator == "<":
            raise failure(errno.EBADF)
        content = self._file.content
        if self._operator == ">>":
            self._place = len(content)
        content.extend(bytes(max(0, self._place - len(content))))  # emptied by somebody else
        content[self._place : self._place + len(data)] = data
        self._place += len(data)

    def locked(self) -> bool:
        self._locked = self._locked or self._file.lock.acquire(blocking=False)
        return self._locked

    def close(self) -> None:
        if self._locked:
            self._locked = False
            self._file.lock.release()


class _OpenFolder(Descriptor):
    def read(self, size: int) -> bytes:
        del size
        raise failure(errno.EISDIR)


class _OpenDevice(Descriptor):
    def __init__(self, device: Device) -> None:
        self._device = device

    def read(self, size: int) -> bytes:
        return self._device.gives * size

    def write(self, data: bytes) -> None:
        del data


_Entry = File | Folder | Device


class Files:
    """All there is, by absolute path.

    Attributes:
        entries: the file, folder or device at each path.
        owner: of what is made.
    """

    def __init__(self, owner: str = "root") -> None:
        """Begin with an empty `/root` and `/tmp`, `/dev/null` and `/dev/zero`."""
        self.owner = owner
        self._numbers = count(1)
        self.entries: dict[str, _Entry] = {
            "/": Folder(),
            "/dev": Folder(),
            "/dev/null": Device(),
            "/dev/zero": Device(gives=b"\0"),
            "/root": Folder(mode=0o700),
            "/tmp": Folder(mode=0o1777),  # noqa: S108 - of this host only
        }

    def made_by(self, owner: str) -> "Files":
        """Return the same files as another user sees them, who owns what is made there."""
        theirs = copy.copy(self)
        theirs.owner = owner
        return theirs

    def names(self, folder: str) -> list[str]:
        """Return the names of what is in a folder, in their order."""
        known = list(self.entries)  # at once: other runs may make files meanwhile
        return sorted(
            posixpath.basename(path)
            for path in known
            if posixpath.dirname(path) == folder and path != "/"
        )

    def find(self, path: str) -> _Entry | None:
        """Return what is there, if there is anything."""
        return self.entries.get(path)

    def at(self, path: str) -> _Entry:
        """Return what is there.

        Raises:
            OSError: nothing is.
        """
        found = self.entries.get(path)
        if found is None:
            over = self.entries.get(posixpath.dirname(path))
            raise failure(errno.ENOTDIR if isinstance(over, File) else errno.ENOENT, path)
        return found

    def content(self, path: str) -> bytes:
        """Return what is in a file.

        Raises:
            OSError: there is none.
        """
        found = self.at(path)
        if not isinstance(found, File):
            raise failure(errno.EISDIR, path)
        return bytes(found.content)

    def write(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        """Put a file there, with the folders that lead to it.

        Raises:
            OSError: something else is in the way.
        """
        self.make_folders(posixpath.dirname(path))
        self.make(path, File(content=bytearray(content), mode=mode, owner=self.owner))

    def make(self, path: str, entry: _Entry) -> None:
        """Put it there, in the place of a file.

        Raises:
            OSError: its folder is missing, or a folder is there.
        """
        if not isinstance(self.at(posixpath.dirname(path)), Folder):
            raise failure(errno.ENOTDIR, path)
        if isinstance(self.find(path), Folder):
            raise failure(errno.EISDIR, path)
        self.entries[path] = entry

    def make_folder(self, path: str) -> None:
        """Make one folder.

        Raises:
            OSError: something is there, or its own folder is missing.
        """
        if self.find(path) is not None:
            raise failure(errno.EEXIST, path)
        self.make(path, Folder(owner=self.owner))

    def make_folders(self, path: str) -> None:
        """Make a folder and those that lead to it, unless they are there.

        Raises:
            OSError: a file is in the way.
        """
        if path != "/":
            self.make_folders(posixpath.dirname(path))
        if not isinstance(self.find(path), Folder):
            self.make_folder(path)

    def make_temporary(self, template: str) -> str:
        """Make an empty file, a number in the place of the last `X`, and return its path.

        Raises:
            OSError: its folder is missing.
        """
        stem = template.rstrip("X")
        width = len(template) - len(stem)
        while self.find(path := f"{stem}{next(self._numbers):0{width}d}") is not None:
            pass
        self.make(path, File(mode=0o600, owner=self.owner))
        return path

    def move(self, source: str, target: str) -> None:
        """Give a file another path, in the place of the one that is there.

        Raises:
            OSError: there is no such file, or no such place.
        """
        moved = self.at(source)
        if isinstance(moved, Folder):
            raise failure(errno.EISDIR, source)
        if source != target:
            self.make(target, moved)
            del self.entries[source]

    def remove(self, path: str) -> None:
        """Remove a file.

        Raises:
            OSError: there is none, or it is a folder.
        """
        if isinstance(self.at(path), Folder):
            raise failure(errno.EISDIR, path)
        del self.entries[path]

    def open(self, path: str, operator: str) -> Descriptor:
        """Open a file as the redirection of that operator does (`<`, `>`, `>>`, `<>`).

        Raises:
            OSError: it is missing and to be read, or it cannot be made.
        """
        found = self.at(path) if operator == "<" else self.find(path)
        if isinstance(found, Device):
            return _OpenDevice(found)
        if isinstance(found, Folder) and operator == "<":
            return _OpenFolder()
        if found is None:
            found = File(owner=self.owner)
            self.make(path, found)
        if isinstance(found, Folder):
            raise failure(errno.EISDIR, path)
        if operator == ">":
            found.content.clear()
        return _OpenFile(found, operator)
