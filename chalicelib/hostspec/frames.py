"""How scripts on a host say where one answer ends and the next begins.

A frame is a line of its own: a mark, then words. What was printed since the frame before belongs to
it. The mark is drawn anew for each run, so that no file, log line or program's output can look like
a frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.shell import Node, command, export, q

__all__ = ["Frame", "Framing", "announce", "end_frames", "prologue"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"
_HELD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame's words, and what was printed before it (the last 64 KiB, where it is streamed)."""

    words: tuple[str, ...]
    before: bytes


def prologue() -> list[Node]:
    """Return how each script begins: programs where root finds them, and messages in English."""
    return [export("PATH", _PATH), export("LC_ALL", "C"), q("umask 022")]


def announce(mark: str, *words: object) -> Node:
    """Return the command that prints a frame, whatever was printed before it."""
    return command("printf", "\\n%s" + " %s" * len(words) + "\\n", mark, *words)


def end_frames(said: bytes, *, mark: str) -> Iterator[Frame]:
    """Yield the frames in the whole output of a script."""
    framing = Framing(mark, held_bytes=len(said))
    yield from framing.feed(said)


class Framing:
    """Finds frames in output that comes in pieces, cut anywhere."""

    def __init__(self, mark: str, *, held_bytes: int = _HELD_BYTES) -> None:
        """Look for the mark; of what comes between frames hold so many bytes, the last ones."""
        self._start = b"\n" + mark.encode() + b" "
        self._held_bytes = held_bytes
        self._rest = b""

    @property
    def rest(self) -> bytes:
        """What was printed since the last frame."""
        return self._rest

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take a piece and yield the frames that it completes."""
        self._rest += data
        while True:
            at = self._rest.find(self._start)
            end = self._rest.find(b"\n", at + 1) if at >= 0 else -1
            if end < 0:
                # What is cut off here is before a frame that has begun, or long before the next.
                keep = self._held_bytes + (len(self._rest) - at if at >= 0 else 0)
                self._rest = self._rest[-keep:] if keep else b""
                return
            words = self._rest[at + len(self._start) : end].decode(errors="replace").split()
            before, self._rest = self._rest[:at], self._rest[end + 1 :]
            yield Frame(tuple(words), before[-self._held_bytes :] if self._held_bytes else b"")
