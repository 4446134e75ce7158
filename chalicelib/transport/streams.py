"""The output of a running command, to be gone through as it comes."""

import codecs
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from chalicelib.transport.protocol import Chunk, OnOutput, StreamName
    from chalicelib.transport.result import Result

__all__ = ["Stream"]

_WAITING_CHUNKS = 16
"""A reader that is this far behind slows the command down."""
_LISTEN_S = 0.05
_LINE_CHARACTERS = 1024 * 1024


class Stream:
    """A command that runs while its output is read. Use it in a `with`: leaving early ends it.

    A limit in time is looked at between two chunks: a reader that stands still delays it.
    """

    def __init__(self, run: "Callable[[OnOutput, threading.Event], Result]") -> None:
        """Start `run` in a thread of its own. It takes where output goes, and what cancels it."""
        self._chunks: Queue[Chunk] = Queue(_WAITING_CHUNKS)
        self._cancel = threading.Event()
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._run = run
        self._thread = threading.Thread(target=self._to_its_end, name="transport-stream")
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._cancel.set()
        self._thread.join()

    def __iter__(self) -> "Iterator[Chunk]":
        """Yield each chunk of both streams as it comes, until the command has ended."""
        while self._thread.is_alive() or not self._chunks.empty():
            with suppress(Empty):
                yield self._chunks.get(timeout=_LISTEN_S)

    def lines(self) -> "Iterator[tuple[StreamName, str]]":
        """Yield each line of both streams, without its newline, as UTF-8 (U+FFFD for what is not).

        A line of over a million characters comes in pieces.
        """
        decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in _NAMES}
        begun: dict[StreamName, str] = dict.fromkeys(_NAMES, "")
        for chunk in self:
            text = begun[chunk.stream] + decoders[chunk.stream].decode(chunk.data)
            *whole, rest = text.split("\n")
            for line in whole:
                yield chunk.stream, line
            if len(rest) > _LINE_CHARACTERS:
                yield chunk.stream, rest
                rest = ""
            begun[chunk.stream] = rest
        for name in _NAMES:
            rest = begun[name] + decoders[name].decode(b"", final=True)
            if rest:
                yield name, rest

    def result(self) -> "Result":
        """Return the result once the command has ended; output not yet gone through is let go.

        Raises:
            BerthError: what `Transport.run` would raise.
        """
        for _ in self:
            pass
        self._thread.join()
        if self._error is not None:
            raise self._error
        if self._result is None:
            raise AssertionError("a run returns or raises")
        return self._result

    def _to_its_end(self) -> None:
        try:
            self._result = self._run(self._put, self._cancel)
        except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
            self._error = error

    def _put(self, chunk: "Chunk") -> None:
        while not self._cancel.is_set():
            with suppress(Full):
                self._chunks.put(chunk, timeout=_LISTEN_S)
                return


_NAMES: "tuple[StreamName, StreamName]" = ("stdout", "stderr")
