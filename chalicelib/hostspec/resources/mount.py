"""A mount: now, and by its entry in fstab(5) after the next boot."""

import re
from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.edits import Lines, put_line, remove_lines, with_field
from chalicelib.hostspec.resources.filesystem_facts import refuse
from chalicelib.hostspec.resources.mount_facts import (
    FSTAB,
    MOUNTS,
    SOURCES,
    MountState,
    check_words,
    escaped,
    holds,
    reload_units,
    resolve,
)
from chalicelib.hostspec.resources.path_facts import CONTENTS, check_path
from chalicelib.shell import (
    Node,
    all_of,
    any_text,
    assign,
    branch,
    case,
    command,
    env,
    equal,
    if_,
    is_directory,
    is_file,
    is_not_empty,
    join,
    not_,
    output,
    pipe,
    q,
    ref,
    script,
    when,
)

__all__ = ["Mount"]

_SOURCE = re.compile(r"/.*|(UUID|LABEL|PARTUUID|PARTLABEL)=[A-Za-z0-9_.:+-]+")
_OTHER_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(:/[A-Za-z0-9_./-]*)?")
_TYPE = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_BINDS = {"bind", "rbind"}
_LAST_PASS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount(Resource):
    """A mount and its entry in fstab. Other entries stay byte for byte.

    Other options take force by a remount, so that nobody has to let go. Of the options, those are
    compared that the kernel shows; all are in the entry. What is mounted there and is not of this
    source is an error, and stays.

    Attributes:
        source: a device's path, a file with a filesystem, `UUID=…`, `LABEL=…`, a directory with the
            option `bind`, a word such as `tmpfs`, or `host:/export`.
        path: where; made if it is missing.
        type: such as `ext4`, `tmpfs`; `none` with `bind`. Default: what is there.
        options: such as `noatime`, `nofail`, `size=1g`. Default: none, which fstab calls `defaults`.
        check_pass: when fsck looks at it at boot: 1 for the root, 2 for others. Default: 0, never.
        fstab: the file. Default: /etc/fstab.

    `absent` unmounts it, unless it is in use, and then removes the entry; the directory stays.
    """

    kind: ClassVar[str] = "mount"

    source: str
    path: str
    type: str = "auto"
    options: tuple[str, ...] = ()
    check_pass: int = 0
    fstab: str = FSTAB

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_path(self, self.path)
        check_path(self, self.fstab, "fstab")
        known = _SOURCE.fullmatch(self.source) or _OTHER_SOURCE.fullmatch(self.source)
        check(self, known, f"source: {self.source!r} is none")
        if self.source.startswith("/"):
            check_path(self, self.source, "source")
        check(self, _TYPE.fullmatch(self.type), f"type: {self.type!r} is none")
        check_words(self, self.options, "options")
        remount = {"remount", "move"} & set(self.options)
        check(self, not remount, "options: how it is done is not for an entry")
        check(self, 0 <= self.check_pass <= _LAST_PASS, "check_pass: 0, 1 or 2")

    @property
    def subject(self) -> str:
        """The path."""
        return self.path

    @property
    def provides(self) -> tuple[str, ...]:
        """The mount."""
        return (names.mount(self.path),)

    @property
    def wants(self) -> tuple[str, ...]:
        """The directory, the filesystem, and what is above both."""
        source = [names.path(self.source), names.mount(self.source), *names.under(self.source)]
        return (
            names.path(self.path),
            *names.under(self.path),
            names.filesystem(self.source),
            *(source if self.source.startswith("/") else []),
        )

    def asks(self) -> tuple[Ask[object], ...]:
        """What is mounted, what the source is, and the entries."""
        return (MOUNTS(self.path), SOURCES(self.source), SOURCES(self.path), CONTENTS(self.fstab))

    def wanted(self) -> Fields:
        """Entry, source, type and options."""
        typed = {"type": self.type} if self.type not in {"auto", "none"} else {}
        options = {"options": ",".join(self.options)} if self.options else {}
        return {"entry": self._entry, "source": self.source, **typed, **options}

    def found(self, facts: Facts) -> Fields | None:
        """The same of what is there."""
        there, entries = facts[MOUNTS(self.path)], self._entries(facts)
        ours = there is not None and self._is_ours(there, facts)
        if self.absent:
            first = escaped(self.source)
            entries = [each for each in entries if each.split()[:1] == [first]]
            there = there if ours else None
        if there is None and not entries:
            return None
        fields = {"entry": "\n".join(entries), "source": "not mounted"}
        if there is None:
            return fields
        fields["source"] = self.source if ours else there.source
        asked = (each if holds(each, there) else f"not {each}" for each in self.options)
        return {**fields, "type": there.type, "options": ",".join(asked)}

    def actions(self) -> tuple[Node, ...]:
        """Write the entry and mount, or remount, it; or unmount it and remove the entry."""
        if self.absent:
            return (
                when(self._mounted(), self._find(), when(_OURS, self._unmount())),
                when(self._has_entry(), remove_lines(self.fstab, self._lines)),
                *reload_units(self.fstab),
            )
        options = ",".join(self.options) or "defaults"
        where = ("--source", self.source, "--target", self.path)
        typed = () if self.type == "auto" else ("-t", self.type)
        again = command("mount", "-o", f"remount,{options}", *where)
        taken = refuse(self.path, " is taken by a mount of ", ref("mounted"))
        return (
            when(not_(is_directory(self.path)), command("mkdir", "-p", "--", self.path)),
            put_line(self.fstab, self._entry, instead_of=self._lines),
            *reload_units(self.fstab),
            if_(
                self._mounted(),
                [self._find(), if_(_OURS, again, else_=list(taken))],
                else_=command("mount", *typed, "-o", options, *where),
            ),
        )

    @property
    def _entry(self) -> str:
        options = ",".join(self.options) or "defaults"
        source, path = escaped(self.source), escaped(self.path)
        return f"{source} {path} {self.type} {options} 0 {self.check_pass}"

    @property
    def _lines(self) -> Lines:
        return with_field(2, escaped(self.path))

    @property
    def _bind(self) -> bool:
        return bool(_BINDS & set(self.options))

    def _entries(self, facts: Facts) -> list[str]:
        text = (facts[CONTENTS(self.fstab)] or b"").decode(errors="replace")
        chosen = with_field(2, escaped(self.path))
        return [each for each in text.split("\n") if chosen.match(each)]

    def _is_ours(self, there: MountState, facts: Facts) -> bool:
        source = facts[SOURCES(self.source)]
        if self._bind:
            return bool(source.inode) and source.inode == facts[SOURCES(self.path)].inode
        if self.source.startswith("/") or "=" in self.source:
            return there.source in source.devices
        return there.source == self.source

    def _mounted(self) -> Node:
        return q("mountpoint -q -- {path}", path=self.path)

    def _find(self) -> Node:
        """Return the script that sets `ours` if what is mounted is of the source."""
        listed = q("findmnt -n -l -v -o SOURCE -M {path}", path=self.path)
        mounted = assign("mounted", output(pipe(listed, "tail -n 1")))
        if self._bind:
            inodes = [
                output(q("stat -L -c %d:%i -- {path}", path=each))
                for each in (self.source, self.path)
            ]
            same = equal(*inodes)
        elif self.source.startswith("/") or "=" in self.source:
            one = join(any_text(), " ", ref("mounted"), " ", any_text())
            devices = join(" ", ref("device"), " ")
            found = case(devices, branch(one, assign("ours", "yes")))
            return script(assign("ours", ""), mounted, resolve(self.source), found)
        else:
            same = equal(ref("mounted"), self.source)
        return script(assign("ours", ""), mounted, when(same, assign("ours", "yes")))

    def _unmount(self) -> Node:
        return q("umount -- {path}", path=self.path)

    def _has_entry(self) -> Node:
        """Return the condition that fstab has an entry of this source and path."""
        looking = command("awk", _LOOKING, self.fstab)
        given = env(looking, BERTH_SOURCE=escaped(self.source), BERTH_PATH=escaped(self.path))
        return all_of(is_file(self.fstab), given)


_OURS = is_not_empty(ref("ours"))
_LOOKING = (
    '$1 "" == ENVIRON["BERTH_SOURCE"] "" && $2 "" == ENVIRON["BERTH_PATH"] "" { found = 1 }'
    " END { exit !found }"
)
