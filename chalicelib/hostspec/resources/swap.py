"""Swap: a file or a device, in use now and after the next boot."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Fact, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.edits import Lines, put_line, remove_lines, with_field
from chalicelib.hostspec.resources.filesystem_facts import FILESYSTEMS, held_by, refuse
from chalicelib.hostspec.resources.mount_facts import FSTAB, SOURCES, reload_units
from chalicelib.hostspec.resources.path_facts import CONTENTS, check_path
from chalicelib.shell import (
    Node,
    all_of,
    any_of,
    assign,
    branch,
    case,
    command,
    env,
    equal,
    exists,
    exit_,
    if_,
    is_not_empty,
    join,
    not_equal,
    otherwise,
    output,
    q,
    q_or,
    ref,
    script,
    when,
)

__all__ = ["Swap"]

_MIB = 1024 * 1024
_PATH = re.compile(r"[^\s#]+")
_HIGHEST_PRIORITY = 32767
_COLUMNS = 5


def _gather(_: tuple[str, ...]) -> Node:
    return q("cat /proc/swaps")


def _read(said: bytes, subjects: tuple[str, ...]) -> Mapping[str, Mapping[str, int]]:
    rows = [line.split() for line in said.decode(errors="replace").splitlines()[1:]]
    found = {row[0]: int(row[4]) for row in rows if len(row) == _COLUMNS and _is_number(row[4])}
    return dict.fromkeys(subjects, found)


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


_IN_USE = Fact(name="swaps", gather=_gather, read=_read)
"""Priorities of the swap that is in use, by its path without links."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap(Resource):
    """Swap space, in use, with its entry in fstab.

    A file is made whole, without holes, and, on btrfs, without copies on write; what is there and
    is no swap is an error, and stays. A device is made swap only where it holds nothing.

    Attributes:
        path: absolute, without blanks and links, on a filesystem that can hold swap; or a device.
        size_mib: of the file, which is made; another size makes it anew. Default: it is a device.
        priority: 0 to 32767; the highest is used first. Default: the kernel's choice.
        fstab: the file of the entry. Default: /etc/fstab.

    `absent` ends its use and removes the entry and the file; a device stays as it is.
    """

    kind: ClassVar[str] = "swap"

    path: str
    size_mib: int | None = None
    priority: int | None = None
    fstab: str = FSTAB

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_path(self, self.path)
        check(self, _PATH.fullmatch(self.path), "path: has blanks")
        check_path(self, self.fstab, "fstab")
        check(self, self.size_mib is None or self.size_mib > 0, "size_mib: more than 0")
        fits = self.priority is None or 0 <= self.priority <= _HIGHEST_PRIORITY
        check(self, fits, f"priority: 0 to {_HIGHEST_PRIORITY}")

    @property
    def subject(self) -> str:
        """The path."""
        return self.path

    @property
    def provides(self) -> tuple[str, ...]:
        """The file, if it is one."""
        return (names.path(self.path),) if self.size_mib else ()

    @property
    def wants(self) -> tuple[str, ...]:
        """The folders and mounts above."""
        return names.under(self.path)

    def asks(self) -> tuple[Ask[object], ...]:
        """What is there, what is in use, and the entries."""
        return (_IN_USE(), FILESYSTEMS(self.path), SOURCES(self.path), CONTENTS(self.fstab))

    def wanted(self) -> Fields:
        """What it holds, its entry, its use and size."""
        size = {"size": f"{self.size_mib} MiB"} if self.size_mib else {}
        priority = {} if self.priority is None else {"priority": str(self.priority)}
        return {"holds": "swap", "entry": self._entry, "in use": "yes", **priority, **size}

    def found(self, facts: Facts) -> Fields | None:
        """The same of what is there."""
        there, entries = facts[FILESYSTEMS(self.path)], self._entries(facts)
        used = facts[_IN_USE()]
        paths = (self.path, *facts[SOURCES(self.path)].devices)
        priority = next((used[each] for each in paths if each in used), None)
        if priority is None and not entries and (there is None or self._may_stay(there.type)):
            return None
        size = there.device_bytes if there else 0
        return {
            "holds": (there.type or "something else") if there else "nothing",
            "entry": "\n".join(entries),
            "in use": "no" if priority is None else "yes",
            "priority": "none" if priority is None else str(priority),
            "size": f"{size // _MIB} MiB" if size % _MIB == 0 else f"{size} bytes",
        }

    def _may_stay(self, held: str) -> bool:
        """Say whether what is there and not used is not this swap."""
        if self.absent and held != "swap":
            return True
        return self.size_mib is None and held in {"", "swap"}

    def actions(self) -> tuple[Node, ...]:
        """Make it, write the entry, use it; or the other way round."""
        if self.absent:
            # The kernel's name of a file that has been removed ends otherwise: none is found.
            gone = when(equal(ref("held"), "swap"), q("rm -f -- {path}", path=self.path))
            return (
                script(self._look(), when(is_not_empty(ref("used")), self._off())),
                remove_lines(self.fstab, self._lines),
                *reload_units(self.fstab),
                *([when(exists(self.path), held_by(self.path), gone)] if self.size_mib else []),
            )
        return (
            self._make_file() if self.size_mib else self._make_device(),
            put_line(self.fstab, self._entry, instead_of=self._lines),
            *reload_units(self.fstab),
            self._use(),
        )

    @property
    def _entry(self) -> str:
        priority = "" if self.priority is None else f",pri={self.priority}"
        return f"{self.path} none swap sw{priority} 0 0"

    @property
    def _lines(self) -> Lines:
        return with_field(1, self.path)

    def _entries(self, facts: Facts) -> list[str]:
        text = (facts[CONTENTS(self.fstab)] or b"").decode(errors="replace")
        return [each for each in text.split("\n") if self._lines.match(each)]

    def _make_device(self) -> Node:
        return script(
            held_by(self.path),
            case(
                ref("held"),
                branch("", q("mkswap {path}", path=self.path)),
                branch("swap"),
                otherwise(*refuse(self.path, " holds data (", ref("held"), "), which stays")),
            ),
        )

    def _make_file(self) -> Node:
        """Return the script that makes the file beside its place, and anew if its size is wrong."""
        size = (self.size_mib or 0) * _MIB
        stays = refuse(
            self.path, " holds data (", ref("held", if_empty="no swap"), "), which stays"
        )
        there = output(q("stat -c %s -- {path}", path=self.path))
        return if_(
            exists(self.path),
            [
                held_by(self.path),
                when(not_equal(ref("held"), "swap"), *stays),
                when(
                    not_equal(there, size),
                    self._look(),
                    when(is_not_empty(ref("used")), q_or(self._off(), exit_())),
                    self._build(size),
                ),
            ],
            else_=self._build(size),
        )

    def _build(self, size: int) -> Node:
        part = f"{self.path}.berth"
        folder = output(q("dirname -- {path}", path=self.path))
        kind = output(q("stat -f -c %T -- {folder}", folder=folder))
        zeros = q(
            "dd if=/dev/zero {of} bs=1M {count} status=none",
            of=join("of=", part),
            count=f"count={size // _MIB}",
        )
        return all_of(
            q("rm -f -- {part}", part=part),
            q("touch -- {part}", part=part),
            q("chmod 600 {part}", part=part),
            # Only an empty file takes it; other filesystems do not know it.
            if_(equal(kind, "btrfs"), q("chattr +C {part}", part=part)),
            any_of(q("fallocate -l {size} {part}", size=size, part=part), zeros),
            q("mkswap {part}", part=part),
            q("mv -f -T {part} {path}", part=part, path=self.path),
        )

    def _look(self) -> Node:
        """Return the script that sets `used` to the priority it is used with, or to nothing."""
        finding = command("awk", _FINDING, "/proc/swaps")
        real = output(q("readlink -f -- {path}", path=self.path))
        return script(
            assign("real", real),
            assign("used", output(env(finding, BERTH_SWAP=ref("real")))),
        )

    def _use(self) -> Node:
        priority = [] if self.priority is None else ["-p", self.priority]
        on = command("swapon", *priority, "--", self.path)
        right = [] if self.priority is None else [branch(str(self.priority))]
        any_other = all_of(self._off(), on) if self.priority is not None else ()
        return script(self._look(), case(ref("used"), branch("", on), *right, otherwise(any_other)))

    def _off(self) -> Node:
        return q("swapoff -- {path}", path=self.path)


_FINDING = '$1 "" == ENVIRON["BERTH_SWAP"] "" { print $5 }'
