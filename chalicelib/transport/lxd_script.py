"""The script around each command that LXD runs, and the marks by which its end is told. Pure.

LXD tells the exit status only when both output pipes are at their end, which a child in the
background can put off for ever. So the status is told in the pipes themselves: once the command has
ended, the shell around it prints a mark and the status into each. All that comes before a mark was
printed before the end.
"""

from chalicelib.shell import (
    arguments,
    assign,
    close_fd,
    command,
    duplicate,
    last_status,
    positional,
    redirect,
    ref,
    render,
    script,
    stderr_to,
    subshell,
)

__all__ = ["MarkedStream", "marking"]

_BEGIN = "\x1e"
"""The first character of a mark, and nowhere else in it."""
_KEPT_FD = 3
_FORGED = 255


def marking(token: str, program: tuple[str, ...]) -> tuple[str, ...]:
    """Return the arguments that run a program and then print its mark and status to both streams."""
    return ("/bin/sh", "-c", _SCRIPT, "sh", _mark(token), *program)


def _mark(token: str) -> str:
    return f"{_BEGIN}{token}:"


def _script() -> str:
    told = command("printf", r"%s%s\n", ref("mark"), ref("status"))
    program = redirect(command("exec", arguments()), duplicate(2, _KEPT_FD), close_fd(_KEPT_FD))
    return render(
        script(
            # A signal to the command's process group is no end of the shell around it. Caught and
            # not ignored, since a command would inherit that.
            "trap : HUP INT QUIT PIPE ALRM TERM USR1 USR2",
            assign("mark", positional(1)),
            "shift",
            # The shell's own errors go nowhere: it tells of each child that a signal ended. In the
            # subshell, since dash connects a command's descriptors to itself until it has ended.
            redirect("exec", duplicate(_KEPT_FD, 2), stderr_to("/dev/null")),
            subshell(program),
            assign("status", last_status()),
            told,
            redirect(told, duplicate(1, _KEPT_FD)),
        )
    )


_SCRIPT = _script()


class MarkedStream:
    r"""One stream of output, in pieces cut anywhere, up to its mark.

    >>> stream = MarkedStream("t")
    >>> stream.take(b"some"), stream.take(b"thing\x1et:"), stream.take(b"7\nlate"), stream.status
    (b'some', b'thing', b'', 7)

    Attributes:
        status: the exit status, once the mark has come.
    """

    def __init__(self, token: str) -> None:
        """Look for the mark of that token."""
        self.status: int | None = None
        self._mark = _mark(token).encode()
        self._held = b""

    def take(self, data: bytes) -> bytes:
        """Return the output that is known to be no part of the mark; nothing after it."""
        if self.status is not None:
            return b""
        data = self._held + data
        start = self._start(data)
        if start < 0:
            self._held = b""
            return data
        self._held = data[start:]
        status, ended, _ = self._held[len(self._mark) :].partition(b"\n")
        if ended:
            # A command may print a mark of its own making.
            self.status, self._held = int(status) if status.isdigit() else _FORGED, b""
        return data[:start]

    def rest(self) -> bytes:
        """Return what was held back, of a stream that ended without its mark."""
        rest, self._held = self._held, b""
        return rest

    def _start(self, data: bytes) -> int:
        """Where the mark, or the part of it that is here, begins; -1 is nowhere."""
        whole = data.find(self._mark)
        if whole >= 0:
            return whole
        # No other character of a mark is its first, so only the last of these can begin one.
        begun = data.rfind(self._mark[:1])
        return begun if self._mark.startswith(data[begun:]) else -1
