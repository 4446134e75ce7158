"""The programs that change files of a host in memory, or tell of them; see `memory_programs`."""

import posixpath
import re
import threading
from collections.abc import Callable, Mapping

from chalicelib.transport.memory_files import File, Folder
from chalicelib.transport.memory_operands import each_operand, options, said
from chalicelib.transport.memory_state import Process, Program
from chalicelib.transport.memory_words import absent

__all__ = ["FILE_PROGRAMS"]

_FAILED, _NOT_LISTED, _BAD_DESCRIPTOR = 1, 2, 65
_ASK_S = 0.005
_PLACE = re.compile(r"%(.|$)", re.DOTALL)


def _mktemp(process: Process) -> int:
    names = options(process)[1] or ["/tmp/tmp.XXXXXXXXXX"]  # noqa: S108 - of this host only
    if len(names) > 1 or not names[0].endswith("XXX"):
        process.complain(f"one template that ends with XXX: {' '.join(names)}")
        return _FAILED
    path = process.path(names[0])
    try:
        made = process.files.make_temporary(path)
    except OSError as error:
        return said(process, error, names[0])
    process.write(f"{names[0][: len(names[0]) - len(posixpath.basename(path))]}")
    process.write(f"{posixpath.basename(made)}\n")
    return 0


def _changed(change: Callable[[Process, str, str], object]) -> Program:
    """A program that takes what to make of the files, and then the files."""

    def program(process: Process) -> int:
        rest = options(process)[1]
        if len(rest) < 2:  # noqa: PLR2004 - that, and one file
            process.complain("missing operand")
            return _FAILED
        status = 0
        for name in rest[1:]:
            try:
                change(process, rest[0], name)
            except OSError as error:
                status = said(process, error, name)
        return status

    return program


def _chmod(process: Process, mode: str, name: str) -> None:
    if not re.fullmatch(r"[0-7]{1,4}", mode, re.ASCII):
        raise absent("chmod, but for an octal mode")
    process.files.at(process.path(name)).mode = int(mode, 8)


def _chown(process: Process, owner: str, name: str) -> None:
    process.files.at(process.path(name)).owner = owner


def _mv(process: Process) -> int:
    names = options(process, "-f")[1]
    if len(names) != 2:  # noqa: PLR2004 - from and to
        raise absent("mv, but for one file")
    try:
        source, target = map(process.path, names)
        if isinstance(process.files.find(target), Folder):
            target = posixpath.join(target, posixpath.basename(source))
        process.files.move(source, target)
    except OSError as error:
        return said(process, error, " to ".join(names))
    return 0


def _rm(process: Process) -> int:
    forced = bool(options(process, "-f")[0])

    def remove(process: Process, name: str) -> None:
        if not (forced and (not name or process.files.find(process.path(name)) is None)):
            process.files.remove(process.path(name))

    return each_operand(remove, "-f")(process)


def _mkdir(process: Process) -> int:
    files, given = process.files, options(process, "-p", "-m=")[0]
    make = files.make_folders if "-p" in given else files.make_folder

    def made(process: Process, name: str) -> None:
        path = process.path(name)
        new = files.find(path) is None
        make(path)
        if new and "-m" in given:
            _chmod(process, given[given.index("-m") + 1], name)

    return each_operand(made, "-p", "-m=")(process)


def _touch(process: Process, name: str) -> None:
    path = process.path(name)
    if process.files.find(path) is None:
        process.files.make(path, File(owner=process.files.owner))


def _ls(process: Process) -> int:
    given, names = options(process, "-A")
    if len(names) != 1:
        raise absent("ls, but for one file or folder")
    try:
        path = process.path(names[0])
        found = process.files.at(path)
    except OSError as error:
        said(process, error, names[0])
        return _NOT_LISTED
    listed = process.files.names(path) if isinstance(found, Folder) else names
    shown = [each for each in listed if given or not each.startswith(".") or each in names]
    process.write("".join(f"{each}\n" for each in shown))
    return 0


def _stat(process: Process) -> int:
    given = options(process, "-c=")[0]
    if len(given) != 2:  # noqa: PLR2004 - it, and the format
        raise absent("stat, but for stat -c format")

    def told(process: Process, name: str) -> None:
        found = process.files.at(process.path(name))
        facts = {"a": f"{found.mode:o}", "U": found.owner.partition(":")[0], "%": "%"}
        if not facts.keys() >= set(_PLACE.findall(given[1])):
            raise absent("stat, but for %a, %U and %%")
        process.write(_PLACE.sub(lambda place: facts[place[1]], given[1]) + "\n")

    return each_operand(told, "-c=")(process)


def _flock(process: Process) -> int:
    """The lock is held until what opened the file is over, as a real one is until it is closed."""
    match process.arguments:
        case (number,) if re.fullmatch("[0-9]+", number):
            pass
        case _:
            raise absent("flock, but for an open file")
    never = threading.Event()
    try:
        while not process.locked(int(number)):
            process.check()
            never.wait(process.pause_s(_ASK_S))
    except OSError as error:
        said(process, error, number)
        return _BAD_DESCRIPTOR
    return 0


FILE_PROGRAMS: Mapping[str, Program] = {
    "chmod": _changed(_chmod),
    "chown": _changed(_chown),
    "flock": _flock,
    "ls": _ls,
    "mkdir": _mkdir,
    "mktemp": _mktemp,
    "mv": _mv,
    "rm": _rm,
    "stat": _stat,
    "touch": each_operand(_touch),
}
