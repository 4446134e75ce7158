"""The kernel's log, read from real and from strange records."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.fleet.kernel_log import KernelLog, MemoryKill, parse_record

_CASES = sorted((Path(__file__).parent / "kernel_logs").glob("*.txt"))
_LINES = [line for path in _CASES for line in path.read_text().splitlines()]
_HEAD = "/lxc.payload.berth_berth-abcdefghijklmnop-3"
_PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


def _as_json(kill: MemoryKill) -> Mapping[str, Any]:
    """Return a kill as the cases' files have it: what is not said is left out."""
    sizes = {
        "limit_kib": kill.limit_bytes,
        "usage_kib": kill.usage_bytes,
        "own_kib": kill.own_bytes,
    }
    owner = kill.owner
    return {
        "at_s": kill.at.total_seconds(),
        "process": kill.process,
        "pid": kill.pid,
        **({"project": owner.project, "container": owner.container} if owner else {}),
        **({"job": owner.job, "fence": owner.fence} if owner and owner.job else {}),
        **({"whole_host": True} if kill.whole_host else {}),
        **{name: size // 1024 for name, size in sizes.items() if size is not None},
    }


@pytest.mark.parametrize("case", _CASES, ids=lambda path: path.stem)
def test_what_was_killed_is_read_from_the_log(case: Path) -> None:
    log = KernelLog.read(case.read_text().splitlines())

    assert log.begins_at is not None
    found = {"begins_at_s": log.begins_at.total_seconds(), "kills": list(map(_as_json, log.kills))}
    assert found == json.loads(case.with_suffix(".json").read_text())


def test_only_kills_since_a_time_are_told() -> None:
    log = KernelLog(
        kills=tuple(MemoryKill(at=timedelta(seconds=at), process="x", pid=at) for at in (1, 2, 3))
    )

    assert [kill.pid for kill in log.since(timedelta(seconds=2))] == [2, 3]
    assert [kill.pid for kill in log.since(None)] == [1, 2, 3]


def test_a_log_that_begins_too_late_cannot_say_that_there_was_none() -> None:
    """The ring buffer forgets: what it does not hold any more may have been a kill."""
    log = KernelLog.read(["6,13950,27992000000,-;eth0: link up", "6,13951,27993000000,-;x"])

    assert log.doubt(timedelta(seconds=27_991)) == "its log does not go back that far"
    assert log.doubt(timedelta(seconds=27_993)) == ""


def test_a_log_with_its_first_record_goes_back_to_the_boot() -> None:
    log = KernelLog.read(["6,0,5,-;Linux version 6.1.0", "6,1,9,-;x"])

    assert log.doubt(timedelta(0)) == ""


def test_a_log_that_cannot_be_read_says_nothing() -> None:
    assert KernelLog.read([]).doubt(timedelta(0)) == "its log cannot be read"


def test_a_kill_without_a_group_may_be_anybodys() -> None:
    log = KernelLog.read((Path(_CASES[0]).parent / "rate-limited.txt").read_text().splitlines())

    doubt = log.doubt(timedelta(seconds=1))

    assert doubt == "its log does not say whose every process was that it killed"


@given(st.lists(st.text(max_size=200) | st.sampled_from(_LINES), max_size=30))
def test_nothing_in_a_log_makes_it_fail(lines: list[str]) -> None:
    KernelLog.read(lines)


@given(st.lists(st.binary(max_size=200), max_size=10), st.sampled_from(_LINES))
def test_bytes_that_are_no_text_do_not_make_it_fail(parts: list[bytes], line: str) -> None:
    raw = line.encode()
    lines = [(raw[: len(raw) // 2] + part + raw[len(raw) // 2 :]) for part in parts]

    KernelLog.read([line.decode(errors="replace") for line in lines])
    KernelLog.read([line.decode(errors="surrogateescape") for line in lines])


@st.composite
def _damaged(draw: st.DrawFn) -> list[str]:
    """Real records in any order, some with a piece cut out or put in."""
    lines = draw(st.lists(st.sampled_from(_LINES), max_size=30))
    for index in draw(st.sets(st.integers(0, 29), max_size=5)):
        if index < len(lines):
            line = lines[index]
            first, last = sorted(draw(st.tuples(*[st.integers(0, len(line))] * 2)))
            lines[index] = line[:first] + draw(_PLAIN) + line[last:]
    return lines


@given(_damaged())
def test_no_more_is_told_than_the_log_says(lines: list[str]) -> None:
    log = KernelLog.read(lines)

    said = "".join(record.text for record in filter(None, map(parse_record, lines)))
    assert len(log.kills) <= said.count("Killed process ") + said.count("oom-kill:")
    for kill in log.kills:
        assert kill.process in said
        assert str(kill.pid) in said
        assert kill.cgroup in said
        assert kill.owner is None or kill.owner.container in said
        for size in (kill.limit_bytes, kill.usage_bytes):
            assert size is None or str(size // 1024) in said


def _escaped(name: bytes) -> str:
    """Return a name as `/dev/kmsg` has it: `msg_add_ext_text` in kernel/printk/printk.c."""
    plain = range(32, 127)
    return "".join(
        chr(byte) if byte in plain and byte != ord("\\") else f"\\x{byte:02x}" for byte in name
    )


def _kill(*, below: str, name: str, cpuset: str = "/") -> list[str]:
    summary = (
        f"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset={cpuset},mems_allowed=0,"
        f"oom_memcg={_HEAD}{below},task_memcg={_HEAD}{below},task={name},pid=77,uid=9"
    )
    killed = (
        f"Memory cgroup out of memory: Killed process 77 ({name}) total-vm:9kB, anon-rss:8kB, "
        "file-rss:0kB, shmem-rss:0kB, UID:9 pgtables:1kB oom_score_adj:0"
    )
    return [f"6,1,5,-;{summary}", f"3,2,6,-;{killed}"]


@given(st.binary(max_size=15).filter(lambda name: b"\0" not in name))
def test_a_process_may_have_any_name(name: bytes) -> None:
    (kill,) = KernelLog.read(_kill(below="", name=_escaped(name))).kills

    assert (kill.process, kill.pid, kill.own_bytes) == (_escaped(name), 77, 8192)
    assert kill.owner is not None
    assert (kill.owner.job, kill.owner.fence) == ("abcdefghijklmnop", 3)


_PIECES = st.sampled_from(
    ["/", ",", "a", "lxc.payload.other_x", ",task_memcg=", ",oom_memcg=", "global_oom", ",task=y"]
) | st.sampled_from([",pid=1,uid=0", ") total-vm:1kB", " killed as a result of limit of "])


@given(st.lists(_PIECES, max_size=12).map("".join), st.lists(_PIECES, max_size=12).map("".join))
def test_what_a_container_calls_its_groups_makes_no_other_the_victim(below: str, name: str) -> None:
    cpuset = name.replace("/", "")  # only a group's own name is written there, and it has no slash

    (kill,) = KernelLog.read(_kill(below=f"/{below}", name="sh", cpuset=cpuset)).kills

    assert kill.owner is not None
    assert (kill.owner.project, kill.owner.fence) == ("berth", 3)


def test_of_very_many_kills_the_last_are_kept() -> None:
    lines = [line for _ in range(1500) for line in _kill(below="", name="x")]

    assert len(KernelLog.read(lines).kills) == 1000


def test_a_piece_that_follows_a_kill_does_not_tell_it_again() -> None:
    """Flag `c` says that a record goes on with the one before; Hypothesis found it counted twice."""
    lines = [*_kill(below="", name="x"), "6,3,7,c; and more"]

    assert len(KernelLog.read(lines).kills) == 1


def test_a_record_that_is_made_to_be_slow_is_cut_off() -> None:
    """A container's root chooses the paths of its groups."""
    slow = f"6,1,1,-;oom-kill:constraint={',oom_memcg=/' * 100_000}"

    assert KernelLog.read([slow] * 10).kills == ()
