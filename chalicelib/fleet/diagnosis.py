"""What was found of an attempt on its host, as one sentence for people.

Rule of this file: pure. The drivers look, this says.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from chalicelib.fleet.cgroups import MemoryCounters, Owner
from chalicelib.fleet.health import HostHealth, size_text
from chalicelib.fleet.kernel_log import KernelLog, MemoryKill

__all__ = ["Diagnosis", "Findings", "Killed", "MemoryFindings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """What the kernel killed for want of memory.

    Attributes:
        process: its name; empty when only counters tell of it.
        whole_host: the host had no memory left; else the container had met its limit.
        limit_bytes: the limit that was met. None, here and below, where it is not said.
        peak_bytes: what had been used of it.
        own_bytes: what the process itself had.
    """

    process: str = ""
    whole_host: bool = False
    limit_bytes: int | None = None
    peak_bytes: int | None = None
    own_bytes: int | None = None

    def sentence(self, where: str = " in it") -> str:
        """Return it for people.

        >>> Killed(process="cc1plus", limit_bytes=4 << 30, peak_bytes=4 << 30).sentence()
        'the kernel killed cc1plus in it for want of memory: limit 4.0 GiB, peak 4.0 GiB'
        """
        who = self.process or "a process"
        if self.whole_host:
            return f"the kernel killed {who}{where} because the host had no memory left"
        return f"the kernel killed {who}{where} for want of memory{self._sizes()}"

    def _sizes(self) -> str:
        sizes = (
            ("limit", self.limit_bytes),
            ("peak", self.peak_bytes),
            ("its own", self.own_bytes),
        )
        said = [f"{name} {size_text(size)}" for name, size in sizes if size is not None]
        return f": {', '.join(said)}" if said else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFindings:
    """What is known of an attempt and the kernel's kills.

    Attributes:
        inside: what was killed last in the container, if anything was.
        supervisor: the kill of its supervisor, if that was killed.
        doubt: why something may have been killed that is not known; empty when nothing can.
    """

    inside: Killed | None = None
    supervisor: Killed | None = None
    doubt: str = ""

    @classmethod
    def of(
        cls,
        log: KernelLog,
        counters: MemoryCounters,
        *,
        owner: Owner,
        supervisor: int | None,
        since: timedelta | None,
    ) -> "MemoryFindings":
        """Return what the log and the container's counters say of an attempt.

        Args:
            log: the kernel's.
            counters: of the container, while it is there.
            owner: the container's project and name, and the attempt.
            supervisor: number of the supervisor's process, where it is known.
            since: when the attempt began, since the boot; None where that is not known.
        """
        kills = log.since(since)
        inside = [_killed(kill) for kill in kills if _same(kill.owner, owner)]
        beside = [_killed(kill) for kill in kills if kill.owner is None and kill.pid == supervisor]
        counted = _counted(counters) if counters.kills else None
        return cls(
            inside=inside[-1] if inside else counted,
            supervisor=beside[-1] if beside else None,
            doubt=log.doubt(since) if since is not None else "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What is wrong with an attempt.

    Attributes:
        lost: it cannot go on: its supervisor or its container is gone, or its host is full or away.
            A build may well go on without a process that was killed.
        sentence: what is wrong with it, for people; empty when nothing is.
    """

    lost: bool = False
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a host knows of one attempt.

    Attributes:
        supervisor_alive: its supervisor runs.
        container: LXD's word for its state, such as `Running`; empty when there is none.
        rebooted: the host was booted after the attempt had begun.
        memory: what the kernel killed of it.
        health: how the host is.
    """

    supervisor_alive: bool
    container: str
    rebooted: bool = False
    memory: MemoryFindings = field(default_factory=MemoryFindings)
    health: HostHealth = field(default_factory=HostHealth)

    def diagnosis(self) -> Diagnosis:
        """Return what is wrong, and whether the attempt is lost by it."""
        lost = self._gone() or any(self.health.full())
        return Diagnosis(lost=lost, sentence=self.sentence())

    def sentence(self) -> str:
        """Return what is wrong, or the empty string when nothing is.

        What strains the host, and what is not known, is said only beside what is wrong with the
        attempt: it explains.

        >>> Findings(supervisor_alive=False, container="Running").sentence()
        'its supervisor is gone'
        >>> busy = HostHealth(load=9.0)
        >>> Findings(supervisor_alive=True, container="Running", health=busy).sentence()
        ''
        >>> Findings(supervisor_alive=True, container="Stopped", health=busy).sentence()
        'its container is stopped; its load is 9.0 per core'
        """
        wrong = [*self._wrong(), *self.health.full()]
        return "; ".join([*wrong, *self._beside()] if wrong else [])

    def _wrong(self) -> Iterator[str]:
        if not self.supervisor_alive:
            yield "its supervisor is gone"
            if self.memory.supervisor:
                yield self.memory.supervisor.sentence(", its supervisor,")
        if self.container != "Running":
            state = self.container.lower()
            yield f"its container is {state}" if state else "its container is gone"
        if self.memory.inside:
            yield self.memory.inside.sentence()
        if self.rebooted and not self.supervisor_alive:  # a clock that was set looks like a boot
            yield "its host was booted since it began"

    def _beside(self) -> Iterator[str]:
        yield from self.health.strained()
        explained = self.memory.inside or self.memory.supervisor or self.rebooted
        if self._gone() and not explained and self.memory.doubt:
            doubt = self.memory.doubt
            yield f"whether the kernel killed anything for want of memory is not known: {doubt}"

    def _gone(self) -> bool:
        return not self.supervisor_alive or self.container != "Running"


def _same(owner: Owner | None, wanted: Owner) -> bool:
    return owner is not None and (owner.project, owner.job, owner.fence) == (
        wanted.project,
        wanted.job,
        wanted.fence,
    )


def _killed(kill: MemoryKill) -> Killed:
    return Killed(
        process=kill.process,
        whole_host=kill.whole_host,
        limit_bytes=kill.limit_bytes,
        peak_bytes=kill.usage_bytes,
        own_bytes=kill.own_bytes,
    )


def _counted(counters: MemoryCounters) -> Killed:
    return Killed(limit_bytes=counters.limit_bytes, peak_bytes=counters.peak_bytes)
