r"""The programs of a host that is in memory, as far as scripts of ours use them.

An option or a format that is not written here is refused with a `ShellError`: a fake that guessed
would be believed. Messages name the same things as those of coreutils, in words of their own.
"""

import posixpath
import re
import threading
import time
from collections.abc import Callable, Mapping

from chalicelib.transport.memory_file_programs import FILE_PROGRAMS
from chalicelib.transport.memory_files import Descriptor, Device, File, Folder
from chalicelib.transport.memory_operands import options, said
from chalicelib.transport.memory_processes import SIGNALS
from chalicelib.transport.memory_state import Process, Program
from chalicelib.transport.memory_user_programs import USER_PROGRAMS
from chalicelib.transport.memory_words import absent, as_bytes, integer

__all__ = ["PROGRAMS"]

_PIECE = 64 * 1024
_LINES = 500
"""What a program prints at once, about as much as the buffer of a real one holds."""
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|[\\abfnrtv])")
_ESCAPED = dict(zip(b"\\abfnrtv", b"\\\a\b\f\n\r\t\v", strict=True))
_PLACE = re.compile(rb"%(.|$)", re.DOTALL)
_FAILED, _BAD_USE = 1, 2


# Printing.


def _unescaped(text: bytes) -> bytes:
    def one(found: re.Match[bytes]) -> bytes:
        what = found[1]
        return bytes([_ESCAPED[what[0]] if what[0] in _ESCAPED else int(what, 8) & 0xFF])

    return _ESCAPE.sub(one, text)


class _Printf:
    """One call of `printf`: the format again and again, for as long as there are arguments."""

    def __init__(self, process: Process) -> None:
        self._process, self._status = process, 0
        form, *self._values = options(process)[1]
        self._form = as_bytes(form)

    def run(self) -> int:
        while True:
            before = len(self._values)
            self._process.write(self._once())
            if not self._values or len(self._values) == before:
                return self._status

    def _once(self) -> bytes:
        printed, end = b"", 0
        for place in _PLACE.finditer(self._form):
            printed += _unescaped(self._form[end : place.start()]) + self._filled(place[1])
            end = place.end()
        return printed + _unescaped(self._form[end:])

    def _filled(self, kind: bytes) -> bytes:
        if kind == b"%":
            return b"%"
        if kind not in {b"s", b"d"}:
            raise absent(f"printf %{kind.decode(errors='replace')}")
        value = self._values.pop(0) if self._values else ""
        if kind == b"s":
            return as_bytes(value)
        number = integer(value) if value else 0
        if number is None:
            self._process.complain(f"{value}: expected numeric value")
            self._status = _FAILED
        return str(number or 0).encode()


def _printf(process: Process) -> int:
    if not process.arguments:
        process.complain("usage: printf format [argument ...]")
        return _BAD_USE
    return _Printf(process).run()


def _echo(process: Process) -> int:
    silent = process.arguments[:1] == ("-n",)
    text = " ".join(process.arguments[silent:])
    if "\\" in text:
        raise absent("echo of a backslash, which means something to some shells: use println")
    process.write(text if silent else f"{text}\n")
    return 0


def _seq(process: Process) -> int:
    padded = process.arguments[:1] == ("-w",)
    numbers = [integer(each) for each in process.arguments[padded:]]
    known = [each for each in numbers if each is not None]
    if len(known) not in {1, 2} or len(known) < len(numbers):
        raise absent("seq, but for one or two whole numbers, and -w")
    first, last = (1, *known)[-2:]
    width = max(len(str(first)), len(str(last))) if padded else 0
    for start in range(first, last + 1, _LINES):
        process.check()
        piece = range(start, min(start + _LINES, last + 1))
        process.write("".join(f"{number:0{width}}\n" for number in piece))
    return 0


# Reading.


class _Input(Descriptor):
    """The standard input, as a file among others."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def read(self, size: int) -> bytes:
        return self._process.read(size)


def _opened(process: Process, name: str) -> Descriptor:
    if name == "-":
        return _Input(process)
    return process.files.open(process.path(name), "<")


def _copied(process: Process, source: Descriptor, limit: int | None = None) -> None:
    while limit is None or limit > 0:
        process.check()
        piece = source.read(_PIECE if limit is None else min(limit, _PIECE))
        if not piece:
            return
        process.write(piece)
        limit = None if limit is None else limit - len(piece)


def _cat(process: Process) -> int:
    status = 0
    for name in options(process)[1] or ["-"]:
        try:
            _copied(process, _opened(process, name))
        except OSError as error:
            status = said(process, error, name)
    return status


def _head(process: Process) -> int:
    size = integer(process.arguments[1]) if process.arguments[1:] else None
    if process.arguments[:1] != ("-c",) or size is None or size < 0:
        raise absent("head, but for head -c number")
    names = process.arguments[2:] or ("-",)
    if len(names) > 1 or (names[0].startswith("-") and names[0] != "-"):
        raise absent("head of several files")
    try:
        _copied(process, _opened(process, names[0]), size)
    except OSError as error:
        return said(process, error, names[0])
    return 0


def _wc(process: Process) -> int:
    given, names = options(process, "-c")
    if given != ["-c"] or len(names) > 1:
        raise absent("wc, but for wc -c of one file")
    name, size = (names or ["-"])[0], 0
    try:
        source = _opened(process, name)
        while piece := source.read(_PIECE):
            process.check()
            size += len(piece)
    except OSError as error:
        return said(process, error, name)
    process.write(f"{size} {name}\n" if names else f"{size}\n")
    return 0


# Asking.

_NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda left, right: left == right,
    "-ne": lambda left, right: left != right,
    "-lt": lambda left, right: left < right,
    "-le": lambda left, right: left <= right,
    "-gt": lambda left, right: left > right,
    "-ge": lambda left, right: left >= right,
}
_OF_FILES: dict[str, Callable[[File | Folder | Device], bool]] = {
    "-e": lambda _: True,
    "-f": lambda found: isinstance(found, File),
    "-d": lambda found: isinstance(found, Folder),
    "-r": lambda _: True,  # as root may
    "-w": lambda _: True,
    "-x": lambda found: isinstance(found, Folder) or bool(found.mode & 0o111),
    "-L": lambda _: False,
    "-s": lambda found: (
        isinstance(found, Folder) or (isinstance(found, File) and bool(found.content))
    ),
}


def _test(process: Process) -> int:
    words = list(process.arguments)
    if posixpath.basename(process.name) == "[" and (not words or words.pop() != "]"):
        process.complain("missing ]")
        return _BAD_USE
    match words:
        case [] | [_]:
            return int(words in ([], [""]))
        case [operator, value] if operator in {"-z", "-n", *_OF_FILES}:
            return int(not _holds(process, operator, value))
        case [left, "=" | "!=" as operator, right]:
            return int((left == right) != (operator == "="))
        case [left, operator, right] if operator in _NUMBERS:
            return _compared(process, left, operator, right)
        case _:
            # Not what: what a program is given may be a secret.
            raise absent("a test that is not in chalicelib.shell.conditions")


def _holds(process: Process, operator: str, value: str) -> bool:
    if operator in {"-z", "-n"}:
        return bool(value) == (operator == "-n")
    found = process.files.find(process.path(value)) if value else None
    return found is not None and _OF_FILES[operator](found)


def _compared(process: Process, left: str, operator: str, right: str) -> int:
    numbers: list[int] = []
    for each in (left, right):
        # Decimal, whatever it begins with: `[` reads no octal.
        if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", each, re.ASCII):
            process.complain(f"Illegal number: {each}")
            return _BAD_USE
        numbers.append(int(each))
    return int(not _NUMBERS[operator](*numbers))


# Processes.


def _sleep(process: Process) -> int:
    try:
        (text,) = process.arguments
        ends = time.monotonic() + float(text)
    except ValueError:
        process.complain("takes a number of seconds")
        return _FAILED
    never = threading.Event()
    while (left := ends - time.monotonic()) > 0:
        process.check()
        never.wait(process.pause_s(left))
    return 0


def _env(process: Process) -> int:
    rest, environment = options(process)[1], dict(process.environment)
    while rest and "=" in rest[0]:
        name, _, environment[name] = rest.pop(0).partition("=")
    if rest:
        return process.start(rest, environment)
    process.write("".join(f"{name}={value}\n" for name, value in environment.items()))
    return 0


def _kill(process: Process) -> int:
    name, pids = _signal_named(list(process.arguments))
    number = SIGNALS.get(name.upper(), integer(name))
    numbers = all(re.fullmatch("[1-9][0-9]*", each) for each in pids)
    if number is None or number not in SIGNALS.values() or not numbers:
        raise absent("kill, but for a signal that ends shells, and numbers of processes")
    if not pids:
        process.complain("usage: kill [-s signal | -signal] pid ...")
        return _BAD_USE
    status = 0
    for each in pids:
        if not process.send_signal(int(each), number):
            process.complain("No such process")
            status = _FAILED
    return status


def _signal_named(words: list[str]) -> tuple[str, list[str]]:
    """Return the signal's name or number and what follows, an end of options only where dash has it."""
    match words:
        case ["-s", name, "--", *pids] | ["-s", name, *pids]:
            return name, pids
        case ["--", *pids]:
            return "TERM", pids
        case [option, *pids] if option.startswith("-"):
            return option[1:], pids
        case _:
            return "TERM", words


PROGRAMS: Mapping[str, Program] = {
    **FILE_PROGRAMS,
    **USER_PROGRAMS,
    "[": _test,
    "cat": _cat,
    "echo": _echo,
    "env": _env,
    "false": lambda _: _FAILED,
    "head": _head,
    "kill": _kill,
    "printf": _printf,
    "seq": _seq,
    "sleep": _sleep,
    "test": _test,
    "true": lambda _: 0,
    "wc": _wc,
}
"""By name; a host may have others on top, or others of these names."""
