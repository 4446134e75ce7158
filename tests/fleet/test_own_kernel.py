"""What a kernel of its own really kills, and what is known of it once its log was cleared or wrapped.

This machine's kernel has v1 of control groups, and a log that others fill too. This one has v2.
"""

import itertools
import pickle
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.fleet.cgroups import MemoryCounters, Owner
from chalicelib.fleet.diagnosis import Findings, MemoryFindings
from chalicelib.fleet.kernel_log import KernelLog
from chalicelib.model import container_name
from chalicelib.shell import command, println, q, redirect, write_to
from chalicelib.transport import Transport
from tests.kernel_machine import MEMORY_MIB

pytestmark = pytest.mark.timeout(120)

JOB = "oomoomoomoomoomo"
PROJECT = "berth"
LIMIT_MIB = 24
_ROOT = Path(__file__).resolve().parents[2]
_GROUPS = "/sys/fs/cgroup"
_READ = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
from chalicelib.fleet.machine import read_counters, read_kernel_log
sys.stdout.buffer.write(pickle.dumps((read_kernel_log(), read_counters(*sys.argv[2:]))))
"""
_EAT = """
import sys
if sys.argv[1]:
    open(sys.argv[1] + "/cgroup.procs", "w").write("0")
eaten = [bytearray(1 << 20) for _ in range(int(sys.argv[2]))]
"""
_FILL = """
for number in range(4000):
    with open("/dev/kmsg", "w") as log:
        log.write(f"line {number} {'x' * 200}")
"""
_FENCES = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt of whose container there is the control group alone.

    Attributes:
        kernel: where it is.
        fence: its number.
    """

    kernel: Transport
    fence: int

    @property
    def container(self) -> str:
        """The container's name."""
        return container_name(JOB, self.fence)

    @property
    def group(self) -> str:
        """The folder of its control group."""
        return f"{_GROUPS}/lxc.payload.{PROJECT}_{self.container}"

    def eat(self, size_mib: int, *, group: str) -> int:
        """Use so much memory, in a group or outside any; return the exit status."""
        eating = command(sys.executable, "-c", _EAT, group, size_mib)
        return self.kernel.run(eating, check=False).exit_status

    def read(self) -> tuple[KernelLog, MemoryCounters]:
        """What the product reads there, by itself."""
        reading = command(sys.executable, "-c", _READ, _ROOT, PROJECT, self.container)
        read: tuple[KernelLog, MemoryCounters] = pickle.loads(  # noqa: S301 - from our own program
            self.kernel.run(reading).stdout
        )
        return read

    def findings(self) -> MemoryFindings:
        """What is known of it."""
        log, counters = self.read()
        owner = Owner(project=PROJECT, container=self.container, job=JOB, fence=self.fence)
        return MemoryFindings.of(log, counters, owner=owner, supervisor=None, since=timedelta(0))


@pytest.fixture
def attempt(kernel: Transport) -> Iterator[Attempt]:
    """One with a limit, and nothing in it."""
    made = Attempt(kernel=kernel, fence=next(_FENCES))
    kernel.run("sysctl -q -w kernel.printk_devkmsg=on")
    kernel.run(redirect(println("+memory"), write_to(f"{_GROUPS}/cgroup.subtree_control")))
    kernel.run(q("mkdir {group}", group=made.group))
    kernel.run(redirect(println(LIMIT_MIB << 20), write_to(f"{made.group}/memory.max")))
    yield made
    kernel.run(q("rmdir {group}", group=made.group), check=False)


def _said(found: MemoryFindings) -> str:
    return Findings(supervisor_alive=False, container="", memory=found).sentence()


def test_process_limit_and_peak_are_named_also_when_the_log_was_cleared(attempt: Attempt) -> None:
    status = attempt.eat(4 * LIMIT_MIB, group=attempt.group)
    at_once = attempt.findings().inside
    attempt.kernel.run("dmesg --clear")
    shown = attempt.kernel.run("dmesg").text
    cleared = attempt.findings().inside

    assert status == 128 + 9
    assert at_once is not None
    assert (at_once.whole_host, at_once.limit_bytes) == (False, LIMIT_MIB << 20)
    assert at_once.process.startswith("python")
    assert at_once.peak_bytes is not None
    assert 0.9 * at_once.peak_bytes < LIMIT_MIB << 20
    assert "Killed process" not in shown
    assert cleared == at_once


def test_a_log_that_has_wrapped_leaves_the_counters_and_then_a_doubt(attempt: Attempt) -> None:
    attempt.eat(4 * LIMIT_MIB, group=attempt.group)
    attempt.kernel.run(command(sys.executable, "-c", _FILL))
    log, _ = attempt.read()
    counted = attempt.findings()
    attempt.kernel.run(q("rmdir {group}", group=attempt.group))
    nothing = attempt.findings()

    assert log.begins_at is not None
    assert log.begins_at > timedelta(0)
    assert log.kills == ()
    assert counted.inside is not None
    assert counted.inside.sentence().startswith(
        f"the kernel killed a process in it for want of memory: limit {LIMIT_MIB} MiB, peak "
    )
    assert nothing.inside is None
    assert _said(nothing).endswith(
        "whether the kernel killed anything for want of memory is not known: "
        "its log does not go back that far"
    )


def test_a_host_without_memory_is_told_from_a_limit(attempt: Attempt) -> None:
    kernel = attempt.kernel
    kernel.run(redirect(println("max"), write_to(f"{attempt.group}/memory.max")))

    status = attempt.eat(2 * MEMORY_MIB, group=attempt.group)
    found = attempt.findings().inside

    assert status == 128 + 9
    assert found is not None
    assert found.whole_host
    assert "because the host had no memory left" in found.sentence()


def test_what_was_killed_outside_a_container_is_nobodys(attempt: Attempt) -> None:
    attempt.eat(2 * MEMORY_MIB, group="")
    log, _ = attempt.read()

    assert log.kills[-1].whole_host
    assert log.kills[-1].owner is None
    assert attempt.findings().inside is None
