"""What a shell does itself, on a host that is in memory: its own state is what these change."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from chalicelib.transport.memory_files import Folder
from chalicelib.transport.memory_state import ExitError, LoopError, Shell
from chalicelib.transport.memory_words import absent, as_bytes, as_text, integer

__all__ = ["BUILTINS", "REFUSED", "SPECIAL", "Builtin"]

Builtin: TypeAlias = Callable[[Shell, list[str]], int]

_BAD_USE = 2
REFUSED = frozenset(
    [
        *(
            ".",
            "alias",
            "bg",
            "command",
            "declare",
            "eval",
            "exec",
            "fg",
            "getopts",
            "hash",
            "jobs",
        ),
        *("local", "readonly", "return", "set", "shift", "source", "times", "trap", "type"),
        *("ulimit", "umask", "unalias", "unset"),
    ]
)
"""Of a shell alone, and not written yet: to say that there is no such program would be wrong."""
SPECIAL = frozenset([":", "break", "continue", "exit"])
"""Variables before them stay set, and a redirection that fails ends the shell (POSIX, 2.14)."""


def _exit(shell: Shell, arguments: list[str]) -> int:
    status = integer(arguments[0]) if arguments else shell.status
    if status is None or status < 0:
        shell.give_up(f"exit: Illegal number: {arguments[0]}")
    shell.status = status & 0xFF
    raise ExitError


def _leave_round(name: str, *, goes_on: bool) -> Builtin:
    def leave(_: Shell, arguments: list[str]) -> int:
        if arguments:
            raise absent(f"{name} of several loops")
        raise LoopError(goes_on=goes_on)

    return leave


def _cd(shell: Shell, arguments: list[str]) -> int:
    rest = arguments[1:] if arguments[:1] == ["--"] else arguments
    target = rest[0] if rest else shell.lookup("HOME") or ""
    if target.startswith("-") or len(rest) > 1:
        raise absent("cd with options")
    path = shell.path(target) if target else shell.folder
    if not isinstance(shell.system.files.find(path), Folder):
        shell.complain(f"sh: cd: can't cd to {target}")
        return _BAD_USE
    shell.folder = path
    shell.variables["PWD"] = path
    return 0


def _pwd(shell: Shell, arguments: list[str]) -> int:
    if arguments:
        raise absent("pwd with options")
    shell.descriptor(1).write(as_bytes(f"{shell.folder}\n"))
    return 0


def _read(shell: Shell, arguments: list[str]) -> int:
    """A line as it is: only `IFS= read -r name`, which `for_lines` makes."""
    if len(arguments) != 2 or arguments[0] != "-r" or shell.lookup("IFS") != "":  # noqa: PLR2004
        raise absent("read, but for IFS= read -r name")
    line = bytearray()
    while (byte := shell.descriptor(0).read(1)) not in {b"", b"\n"}:
        line += byte
    shell.set_variable(arguments[1], as_text(bytes(line.replace(b"\0", b""))))
    return int(byte == b"")


def _wait(_: Shell, arguments: list[str]) -> int:
    if arguments:
        raise absent("wait for one process")
    return 0


BUILTINS: Mapping[str, Builtin] = {
    ":": lambda _shell, _arguments: 0,
    "break": _leave_round("break", goes_on=False),
    "cd": _cd,
    "continue": _leave_round("continue", goes_on=True),
    "exit": _exit,
    "pwd": _pwd,
    "read": _read,
    "wait": _wait,
}
"""By name; programs of these names are never asked."""
