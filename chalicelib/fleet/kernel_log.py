r"""What the kernel says it killed for want of memory.

Rule of this file: pure, and total: whatever the lines hold, nothing is raised. `machine.py` reads.

One kill is several records, which the kernel writes under one lock (`oom_lock`), so that two kills
never mix; other records may come between. Sources, by function:

- `mm/oom_kill.c`: `dump_header` ("invoked oom-killer"), `dump_oom_summary` (`oom-kill:…`, since
  5.0), `oom_kill_process` ("Kill process … or sacrifice child", until 5.3), `__oom_kill_process`
  ("Killed process …");
- `mm/memcontrol.c`: `mem_cgroup_print_oom_info` ("Task in … killed as a result of limit of …",
  until 4.20), `mem_cgroup_print_oom_meminfo` ("memory: usage …"), `mem_cgroup_print_oom_context`
  (`oom_memcg=…,task_memcg=…`), `mem_cgroup_print_oom_group` ("Tasks in … are going to be killed");
- the form of a record of `/dev/kmsg`: Documentation/ABI/testing/dev-kmsg.

After ten kills in five seconds the kernel leaves out all but the last record (`oom_kill_process`
has a rate limit), which names no group: such a kill is `unattributed`.

What strangers choose is the name of a process (15 bytes) and of a group inside a container (all but
slash and newline). Hence every pattern is anchored at the start of the text, a name is taken from
between the last marks, and a path from after the first `…memcg=/`, which no group's name can hold.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from chalicelib.fleet.cgroups import Owner, owner_of

__all__ = ["KernelLog", "LogRecord", "MemoryKill", "parse_record"]

_MOST_KILLS = 1000
_LONGEST = 4096
"""Twice the longest record of a kernel (PRINTK_MESSAGE_MAX). Paths are strangers', and patterns take
time with the square of a line: 6 ms for the worst one of this length (measured 2026-11-26)."""
_KIB = 1024
_NO_LIMIT_KIB = 1 << 50
_TOGETHER = timedelta(milliseconds=100)
"""Members of a group that is killed whole follow one another within microseconds."""

_KMSG = re.compile(
    r"(?P<level>[0-9]{1,9}),(?P<sequence>[0-9]{1,20}),(?P<us>[0-9]{1,16}),(?P<flags>[^;,\n]*)"
    r"[^;\n]*;(?P<text>[^\n]*)"
)
_LINE = re.compile(
    r"(?:<[0-9]{1,3}>|[^\[\n]{0,200}\bkernel: )?\[ *(?P<s>[0-9]{1,10})\.(?P<us>[0-9]{6})\]"
    r"(?:\[[ CT0-9]{1,12}\])? (?P<text>[^\n]*)"
)
_INVOKED = re.compile(r".{1,64} invoked oom-killer: ")
_USAGE = re.compile(r"memory: usage (?P<usage>[0-9]{1,20})kB, limit (?P<limit>[0-9]{1,20})kB")
_TASK_IN = re.compile(r"Task in (?P<task>/.*?) killed as a result of limit of /")
_SUMMARY = re.compile(
    r"oom-kill:constraint=.*?,(?:oom_memcg=(?P<limited>/.*?)|(?P<host>global_oom))"
    r",task_memcg=(?P<task>/.*)"
)
_VICTIM = re.compile(r"(?P<path>.*),task=(?P<name>.{0,64}?),pid=(?P<pid>[0-9]{1,10}),uid=-?[0-9]+$")
_CHOSEN = re.compile(
    r"(?P<cause>Memory cgroup out|Out) of memory.{0,40}?: Kill process (?P<pid>[0-9]{1,10}) \(.*\)"
    r" score [0-9]+ or sacrifice child"
)
_KILLED = re.compile(
    r"(?:(?P<cause>Memory cgroup out|Out) of memory[^:]{0,40}: )?"
    r"Killed process (?P<pid>[0-9]{1,10})(?:, UID [0-9]+,)? \((?P<name>.*)\) total-vm:[0-9]+kB"
    r"(?:, anon-rss:(?P<anon>[0-9]{1,18})kB)?(?:, file-rss:(?P<file>[0-9]{1,18})kB)?"
    r"(?:, shmem-rss:(?P<shmem>[0-9]{1,18})kB)?"
)
_GROUP = re.compile(r"Tasks in (?P<task>/.*) are going to be killed due to memory\.oom\.group set")
_SPARED = re.compile(r".{0,64}: OOM victim [0-9]+ \(.*\) is already exiting\. Skip killing")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One record of the kernel's log.

    Attributes:
        at: since the boot, by the kernel's own counter: see `machine.since_boot`.
        text: what the kernel wrote; empty when a program wrote it.
        sequence: its number, where the log has them.
        continues: it goes on with the text of the record before.
    """

    at: timedelta
    text: str
    sequence: int | None = None
    continues: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryKill:
    r"""One process that the kernel killed for want of memory.

    Attributes:
        at: since the boot.
        process: its name as the kernel writes it: strange bytes as `\x0a`.
        pid: its number on the host; 0 when the record of the kill is lost.
        cgroup: path of the control group that it was in; empty when the log does not say.
        owner: the container of that group.
        whole_host: the host had no memory left, not the group.
        limit_bytes, usage_bytes: of the group whose limit was met; None when not said.
        own_bytes: what the process itself had in memory.
    """

    at: timedelta
    process: str
    pid: int
    cgroup: str = ""
    owner: Owner | None = None
    whole_host: bool = False
    limit_bytes: int | None = None
    usage_bytes: int | None = None
    own_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelLog:
    """What a kernel's log says of memory.

    Attributes:
        kills: oldest first; of very many, the last ones.
        begins_at: nothing is missing since then; None when nothing could be read. A ring buffer
            forgets its oldest records, and a reader that is too slow misses some in between.
    """

    kills: tuple[MemoryKill, ...] = ()
    begins_at: timedelta | None = None

    def since(self, moment: timedelta | None) -> tuple[MemoryKill, ...]:
        """Return the kills at or after a moment since the boot; all of them for None."""
        return tuple(kill for kill in self.kills if moment is None or kill.at >= moment)

    def doubt(self, moment: timedelta) -> str:
        """Return why a kill after that moment may not be here, or not as whose it was; else empty.

        >>> KernelLog(begins_at=timedelta(hours=2)).doubt(timedelta(hours=1))
        'its log does not go back that far'
        """
        if self.begins_at is None:
            return "its log cannot be read"
        if self.begins_at > moment:
            return "its log does not go back that far"
        if any(not kill.cgroup for kill in self.since(moment)):
            return "its log does not say whose every process was that it killed"
        return ""

    @classmethod
    def read(cls, lines: Iterable[str]) -> "KernelLog":
        """Return what the records say: those of `/dev/kmsg`, or lines as `dmesg` prints them.

        Lines of a file are believed as they stand. Of `/dev/kmsg` only the kernel's own records
        are: programs may write there too, and their records have a facility of their own.
        """
        reader = _Reader()
        for record in filter(None, map(parse_record, lines)):
            reader.take(record)
        return reader.result()


def parse_record(line: str) -> LogRecord | None:
    """Return the record in a line, or None when it is none.

    >>> parse_record("6,1,2000000,-;eth0: link up").text
    'eth0: link up'
    >>> parse_record("Nov  6 10:00:00 h1 kernel: [    2.500000] eth0: link up").at.total_seconds()
    2.5
    >>> parse_record("30,1,2000000,-;systemd[1]: started").text
    ''
    """
    line = line[:_LONGEST]
    if match := _KMSG.match(line):
        # The level holds the facility above its three lowest bits; the kernel's own is 0.
        ours = int(match["level"]) < 1 << 3
        return LogRecord(
            at=timedelta(microseconds=int(match["us"])),
            text=match["text"] if ours else "",
            sequence=int(match["sequence"]),
            continues=match["flags"] in {"c", "+"} and not match["text"].startswith("Task in /"),
        )
    if match := _LINE.match(line):
        at = timedelta(seconds=int(match["s"]), microseconds=int(match["us"]))
        return LogRecord(at=at, text=match["text"])
    return None


class _Reader:
    """Puts the records of each kill together."""

    def __init__(self) -> None:
        self._kills: deque[MemoryKill] = deque(maxlen=_MOST_KILLS)
        self._begins_at: timedelta | None = None
        self._next: int | None = None
        self._text = ""
        self._story: MemoryKill | None = None
        self._whole_group: MemoryKill | None = None
        self._child_may_die = False

    def take(self, record: LogRecord) -> None:
        self._follow(record)
        self._text = ((self._text if record.continues else "") + record.text)[:_LONGEST]
        for pattern, heed in self._HEEDED:
            if match := pattern.match(self._text):
                heed(self, record.at, match)
                self._text = ""  # what goes on from here must not tell it again
                return

    def result(self) -> KernelLog:
        self._close()
        return KernelLog(kills=tuple(self._kills), begins_at=self._begins_at)

    def _follow(self, record: LogRecord) -> None:
        """Note from when on nothing is missing. The first record after a boot has the number 0."""
        boot = record.sequence is None and record.text.startswith("Linux version ")
        if boot:  # a file that goes on after a boot: its times begin anew
            self._story = self._whole_group = None
            self._kills.clear()
        if boot or (self._begins_at is None and record.sequence == 0):
            self._begins_at = timedelta(0)
        elif self._begins_at is None:
            self._begins_at = record.at
        elif self._next is not None and record.sequence != self._next:
            self._close()
            self._whole_group = None
            self._begins_at = record.at
        self._next = None if record.sequence is None else record.sequence + 1

    def _now(self, at: timedelta) -> MemoryKill:
        return self._story or MemoryKill(at=at, process="", pid=0)

    def _close(self) -> None:
        """Keep a kill of which the last record is lost, if the log says whom it had chosen."""
        if self._story is not None and self._story.process:
            self._kills.append(self._story)
        self._story, self._child_may_die = None, False

    def _invoked(self, at: timedelta, _: "re.Match[str]") -> None:
        self._close()
        self._whole_group = None
        self._story = self._now(at)

    def _usage(self, at: timedelta, match: "re.Match[str]") -> None:
        limit = int(match["limit"])
        self._story = replace(
            self._now(at),
            usage_bytes=int(match["usage"]) * _KIB,
            limit_bytes=limit * _KIB if limit < _NO_LIMIT_KIB else None,
        )

    def _task_in(self, at: timedelta, match: "re.Match[str]") -> None:
        path = match["task"]
        self._story = replace(self._now(at), cgroup=path, owner=owner_of(path))

    def _summary(self, at: timedelta, match: "re.Match[str]") -> None:
        victim = _VICTIM.match(match["task"])
        path = victim["path"] if victim else match["task"]
        # The group that met its limit is above the task's. If it is inside a container, what comes
        # after it may be part of a group's name, made up to look like another container's.
        limited = owner_of(match["limited"] or "")
        if limited is not None and owner_of(path) != limited:
            path = match["limited"]
        self._story = replace(
            self._now(at),
            cgroup=path,
            owner=owner_of(path),
            whole_host=match["host"] is not None,
            process=_clean(victim["name"]) if victim else "",
            pid=int(victim["pid"]) if victim else 0,
        )

    def _chosen(self, at: timedelta, match: "re.Match[str]") -> None:
        self._story = replace(self._now(at), whole_host=match["cause"] == "Out")
        self._child_may_die = True

    def _killed(self, at: timedelta, match: "re.Match[str]") -> None:
        story = self._story_of(at, int(match["pid"]))
        rss = [int(match[kind]) * _KIB for kind in ("anon", "file", "shmem") if match[kind]]
        self._kills.append(
            replace(
                story,
                at=at,
                process=_clean(match["name"]),
                pid=int(match["pid"]),
                whole_host=match["cause"] == "Out" if match["cause"] else story.whole_host,
                own_bytes=sum(rss) if rss else None,
            )
        )
        self._story, self._child_may_die = None, False

    def _story_of(self, at: timedelta, pid: int) -> MemoryKill:
        """Return what is known of a killed process: its own story, its group's, or nothing."""
        story, whole = self._story, self._whole_group
        if story is not None and (story.pid in {0, pid} or self._child_may_die):
            return story
        if story is None and whole is not None and at - whole.at <= _TOGETHER:
            return whole
        return MemoryKill(at=at, process="", pid=0)

    def _group(self, at: timedelta, match: "re.Match[str]") -> None:
        last = self._kills[-1] if self._kills else self._now(at)
        path = match["task"]
        self._whole_group = replace(last, at=at, cgroup=path, owner=owner_of(path))

    def _spared(self, _: timedelta, __: "re.Match[str]") -> None:
        self._story, self._child_may_die = None, False

    _HEEDED = (
        (_INVOKED, _invoked),
        (_USAGE, _usage),
        (_TASK_IN, _task_in),
        (_SUMMARY, _summary),
        (_CHOSEN, _chosen),
        (_KILLED, _killed),
        (_GROUP, _group),
        (_SPARED, _spared),
    )


def _clean(name: str) -> str:
    """Return a name in printable ASCII, as `/dev/kmsg` has it and a text file may not."""
    return "".join(_characters(name))


def _characters(name: str) -> Iterator[str]:
    for character in name[:64]:
        plain = character.isascii() and character.isprintable()
        yield character if plain else "".join(f"\\x{byte:02x}" for byte in _bytes(character))


def _bytes(character: str) -> bytes:
    return character.encode(errors="surrogatepass")
