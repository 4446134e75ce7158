"""From a command to the arguments and the input of the program that runs it on a host.

Three ways: a program without any shell in it is started as it is; what needs a shell is its `-c`
argument; what is secret or long is read by a shell from its standard input, ahead of the command's
own, since arguments are in the process list of every user and limited to 128 KiB each
(https://man7.org/linux/man-pages/man2/execve.2.html, MAX_ARG_STRLEN).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chalicelib.shell import (
    Dialect,
    Node,
    command,
    explain,
    output,
    q,
    redirect,
    render,
    stderr_to,
)
from chalicelib.shell.commands import Command
from chalicelib.shell.words import Text
from chalicelib.transport.protocol import Call, Input

__all__ = ["Invocation", "invocation", "pieces"]

_LONG = 20_000
"""Characters. Quoted twice, for the shell of a login and for ours, it still fits into an argument."""
_PIECE = 64 * 1024
_SHELLS = {Dialect.POSIX: "/bin/sh", Dialect.BASH: "/bin/bash"}
# What means something to a shell alone, or may mean something else to it than the program of that
# name. https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_14 and
# #tag_19_09_01_01 list the POSIX ones; the rest are bash's, dash's and busybox's.
_BUILTINS = frozenset(
    [
        ".",
        ":",
        "[",
        "[[",
        "alias",
        "bg",
        "bind",
        "break",
        "builtin",
        "caller",
        "cd",
        "chdir",
        "command",
        "compgen",
        "complete",
        "compopt",
        "continue",
        "declare",
        "dirs",
        "disown",
        "echo",
        "enable",
        "eval",
        "exec",
        "exit",
        "export",
        "false",
        "fc",
        "fg",
        "getopts",
        "hash",
        "help",
        "history",
        "jobs",
        "kill",
        "let",
        "local",
        "logout",
        "mapfile",
        "popd",
        "printf",
        "pushd",
        "pwd",
        "read",
        "readarray",
        "readonly",
        "return",
        "set",
        "shift",
        "shopt",
        "source",
        "suspend",
        "test",
        "time",
        "times",
        "trap",
        "true",
        "type",
        "typeset",
        "ulimit",
        "umask",
        "unalias",
        "unset",
        "wait",
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What to start on the host: its arguments, the program first, and its input.

    Attributes:
        fed: how many bytes of the input are the command itself.
    """

    arguments: tuple[str, ...]
    stdin: Input
    fed: int = 0


def invocation(call: Call, facts: frozenset[str]) -> Invocation:
    """Return how the call's command is started.

    Raises:
        ShellError: the command cannot be rendered for its dialect and these facts.
    """
    plain = _plain(call.command)
    if plain is not None:
        return Invocation(arguments=plain, stdin=call.stdin)
    text = render(call.command, dialect=call.dialect, facts=facts)
    if len(text) > _LONG or _holds_secret(call, text, facts):
        return _fed(call, text)
    return Invocation(arguments=(_SHELLS[call.dialect], "-c", text), stdin=call.stdin)


def pieces(stdin: Input) -> Iterator[bytes]:
    """Yield an input in pieces of 64 KiB at most, but for those that come longer by themselves."""
    if stdin is None:
        return
    if isinstance(stdin, bytes | bytearray | memoryview):
        whole = memoryview(stdin)
        for start in range(0, len(whole), _PIECE):
            yield bytes(whole[start : start + _PIECE])
    elif hasattr(stdin, "read"):
        # `read1` gives what there is; `read` would wait until a piece is full.
        read = getattr(stdin, "read1", stdin.read)
        while piece := read(_PIECE):
            yield piece
    else:
        yield from stdin


def _plain(node: Node) -> tuple[str, ...] | None:
    """The words of a command that no shell has to read; None for any other."""
    if not isinstance(node, Command) or node.environment:
        return None
    words = [word.text for word in node.words if isinstance(word, Text)]
    if len(words) < len(node.words) or not words[0] or words[0] in _BUILTINS:
        return None
    if sum(map(len, words)) > _LONG:
        return None
    return tuple(words)


def _holds_secret(call: Call, text: str, facts: frozenset[str]) -> bool:
    if call.command is call.shown_of:
        return text != call.shown
    return text != explain(call.command, dialect=call.dialect, facts=facts)


def _fed(call: Call, text: str) -> Invocation:
    """The shell reads so many bytes of its input, and runs them.

    `dd` by single bytes, since any reader that takes more would take the command's own input; the
    shell's `read` does the same. One byte is one system call: 20 KB take about 20 ms.
    """
    script = text.encode()
    take = redirect(q("dd bs=1 count={size}", size=len(script)), stderr_to("/dev/null"))
    reading = render(command("eval", output(take)))
    return Invocation(
        arguments=(_SHELLS[call.dialect], "-c", reading),
        stdin=_after(script, call.stdin),
        fed=len(script),
    )


def _after(script: bytes, stdin: Input) -> Input:
    if stdin is None:
        return script
    if isinstance(stdin, bytes):
        return script + stdin
    return _chained(script, stdin)


def _chained(script: bytes, stdin: Input) -> Iterable[bytes]:
    yield script
    yield from pieces(stdin)
