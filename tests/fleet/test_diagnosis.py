"""What is said of an attempt, from what was found."""

from dataclasses import replace
from datetime import timedelta

from chalicelib.fleet.cgroups import MemoryCounters, Owner
from chalicelib.fleet.diagnosis import Findings, Killed, MemoryFindings
from chalicelib.fleet.health import HostHealth, Room
from chalicelib.fleet.kernel_log import KernelLog, MemoryKill

OWNER = Owner(project="berth", container="berth-a-1", job="a", fence=1)
KILL = MemoryKill(
    at=timedelta(seconds=50),
    process="cc1plus",
    pid=7,
    cgroup="/lxc.payload.berth_berth-a-1",
    owner=OWNER,
    limit_bytes=4 << 30,
    usage_bytes=4 << 30,
    own_bytes=3 << 30,
)
BEGAN = timedelta(seconds=40)
NOTHING = MemoryCounters()


def memory(
    *kills: MemoryKill,
    counters: MemoryCounters = NOTHING,
    begins_at: timedelta | None = timedelta(0),
    since: timedelta | None = BEGAN,
) -> MemoryFindings:
    """Return what is found of the attempt in a log with these kills."""
    log = KernelLog(kills=kills, begins_at=begins_at)
    return MemoryFindings.of(log, counters, owner=OWNER, supervisor=900, since=since)


def lost(found: MemoryFindings) -> str:
    """Return what is said of an attempt whose supervisor and container are gone."""
    said = Findings(supervisor_alive=False, container="", memory=found).sentence()
    return said.removeprefix("its supervisor is gone; its container is gone").removeprefix("; ")


def test_process_limit_and_peak_are_named() -> None:
    said = Findings(supervisor_alive=True, container="Running", memory=memory(KILL)).sentence()

    assert said == (
        "the kernel killed cc1plus in it for want of memory: "
        "limit 4.0 GiB, peak 4.0 GiB, its own 3.0 GiB"
    )


def test_the_last_process_is_named() -> None:
    found = memory(KILL, replace(KILL, process="ld", at=timedelta(seconds=60)))

    assert found.inside is not None
    assert found.inside.process == "ld"


def test_a_kill_of_another_attempt_or_before_it_began_is_not_its_own() -> None:
    other = replace(KILL, owner=replace(OWNER, fence=2))
    early = replace(KILL, at=timedelta(seconds=39))
    stranger = replace(KILL, owner=replace(OWNER, project="default"))

    assert lost(memory(other, early, stranger)) == ""


def test_a_container_under_a_second_name_of_its_group_is_the_same() -> None:
    again = replace(KILL, owner=replace(OWNER, container="berth-a-1-1"))

    assert memory(again).inside is not None


def test_the_counters_tell_when_the_log_does_not() -> None:
    counters = MemoryCounters(kills=2, limit_bytes=64 << 20, peak_bytes=64 << 20)

    said = lost(memory(counters=counters, begins_at=None))

    assert said == "the kernel killed a process in it for want of memory: limit 64 MiB, peak 64 MiB"


def test_counters_without_a_kill_tell_nothing() -> None:
    counters = MemoryCounters(kills=0, limit_bytes=64 << 20, peak_bytes=64 << 20)

    assert lost(memory(counters=counters)) == ""


def test_a_host_without_memory_is_told_from_a_limit() -> None:
    found = memory(replace(KILL, whole_host=True, limit_bytes=None))

    assert lost(found) == ("the kernel killed cc1plus in it because the host had no memory left")


def test_a_supervisor_that_was_killed_is_named() -> None:
    kill = replace(KILL, owner=None, pid=900, process="python3", whole_host=True, cgroup="/x")

    said = Findings(supervisor_alive=False, container="Running", memory=memory(kill)).sentence()

    assert said == (
        "its supervisor is gone; "
        "the kernel killed python3, its supervisor, because the host had no memory left"
    )


def test_a_log_that_was_rotated_makes_it_unknown_not_none() -> None:
    rotated = memory(begins_at=timedelta(seconds=41))
    unreadable = memory(begins_at=None)
    unattributed = memory(replace(KILL, owner=None, cgroup=""))

    said = "whether the kernel killed anything for want of memory is not known: its log "
    assert lost(rotated) == f"{said}does not go back that far"
    assert lost(unreadable) == f"{said}cannot be read"
    assert lost(unattributed).startswith(f"{said}does not say whose")


def test_of_a_healthy_attempt_nothing_is_said_to_be_unknown() -> None:
    unknown = memory(begins_at=None)

    assert Findings(supervisor_alive=True, container="Running", memory=unknown).sentence() == ""


def test_an_attempt_of_which_nothing_is_left_has_no_beginning_to_go_back_to() -> None:
    assert lost(memory(begins_at=None, since=None)) == ""


def test_a_host_that_was_booted_explains_the_rest() -> None:
    found = Findings(
        supervisor_alive=False, container="Stopped", rebooted=True, memory=memory(begins_at=None)
    )

    assert found.sentence() == (
        "its supervisor is gone; its container is stopped; its host was booted since it began"
    )


def test_a_full_disk_is_a_reason_and_a_busy_host_is_not() -> None:
    full = HostHealth(
        rooms=(Room(what="its containers", free_bytes=0, total_bytes=1 << 30),), load=9.0
    )

    said = Findings(supervisor_alive=True, container="Running", health=full).sentence()

    assert said == (
        "the host's disk is full: 0 bytes of 1.0 GiB are free for its containers; "
        "its load is 9.0 per core"
    )


def test_what_was_killed_without_sizes_is_told_without() -> None:
    assert Killed(process="x").sentence() == "the kernel killed x in it for want of memory"
