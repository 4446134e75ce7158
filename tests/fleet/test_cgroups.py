import pytest

from chalicelib.fleet.cgroups import MemoryCounters, Owner, owner_of, payload_names

_JOB = "abcdefghijklmnop"


@pytest.mark.parametrize(
    "path",
    [
        f"/lxc.payload.berth_berth-{_JOB}-3",
        f"/lxc.payload.berth_berth-{_JOB}-3/system.slice/x.service",
        f"/lxc.payload.berth_berth-{_JOB}-3/.lxc",
        f"/lxc.payload/berth_berth-{_JOB}-3",
        f"/lxc/berth_berth-{_JOB}-3/init.scope",
        f"/lxc.payload.berth_berth-{_JOB}-3-1",
    ],
)
def test_the_attempt_is_told_from_the_group(path: str) -> None:
    owner = owner_of(path)

    assert owner is not None
    assert (owner.project, owner.job, owner.fence) == ("berth", _JOB, 3)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/lxc",
        "/lxc/",
        "/lxc.payload.",
        f"/lxc.monitor.berth_berth-{_JOB}-3",
        f"/system.slice/lxc.payload.berth_berth-{_JOB}-3",
        f"lxc.payload.berth_berth-{_JOB}-3",
    ],
)
def test_a_group_of_the_host_has_no_owner(path: str) -> None:
    assert owner_of(path) is None


def test_a_strangers_container_is_no_attempt() -> None:
    assert owner_of("/lxc.payload.web-1") == Owner(project="default", container="web-1")


def test_a_group_is_found_under_the_name_that_is_read_back() -> None:
    for project in ("default", "berth"):
        for name in payload_names(project, "x"):
            assert owner_of(f"/{name}") == Owner(project=project, container="x")


def test_counters_of_v2() -> None:
    files = {
        "memory.events": "low 0\nhigh 0\nmax 31\noom 2\noom_kill 2\noom_group_kill 0\n",
        "memory.max": "67108864\n",
        "memory.peak": "67100000\n",
    }

    found = MemoryCounters.parse(files)

    assert found == MemoryCounters(kills=2, limit_bytes=67_108_864, peak_bytes=67_100_000)


def test_counters_of_v1() -> None:
    files = {
        "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
        "memory.limit_in_bytes": "9223372036854771712\n",
        "memory.max_usage_in_bytes": "67108864\n",
    }

    found = MemoryCounters.parse(files)

    assert found == MemoryCounters(kills=1, limit_bytes=None, peak_bytes=67_108_864)


def test_an_old_kernel_counts_no_kills() -> None:
    found = MemoryCounters.parse({"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n"})

    assert found == MemoryCounters()
