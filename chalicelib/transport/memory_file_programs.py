"""The programs that change files of a host in memory; see `memory_programs`."""

import posixpath
import re
from collections.abc import Callable, Mapping

from chalicelib.transport.memory_files import Folder
from chalicelib.transport.memory_operands import each_operand, options, said
from chalicelib.transport.memory_state import Process, Program
from chalicelib.transport.memory_words import absent

__all__ = ["FILE_PROGRAMS"]

_FAILED = 1


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
    files = process.files
    make = files.make_folders if options(process, "-p")[0] else files.make_folder
    return each_operand(lambda process, name: make(process.path(name)), "-p")(process)


FILE_PROGRAMS: Mapping[str, Program] = {
    "chmod": _changed(_chmod),
    "chown": _changed(_chown),
    "mkdir": _mkdir,
    "mktemp": _mktemp,
    "mv": _mv,
    "rm": _rm,
}
