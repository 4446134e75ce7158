"""Remove what nobody owns any more: containers on hosts, executions that wait, instances.

Effects are named by (job, fence), so what is not the job's current attempt is garbage that anyone may
collect (queue protocol R4); an instance that never became a host is nobody's either. Holds no state;
safe to run twice at once.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from chalicelib.errors import HostUnreachableError
from chalicelib.fleet.protocol import HostDriver
from chalicelib.model import Host, Job, JobState
from chalicelib.services.context import Berth

__all__ = ["Collected", "collect_orphans"]

_GRACE = timedelta(seconds=60)
"""How long what a finished attempt left is let be: its supervisor, or its execution, is just ending."""
_AT_ONCE = 100
_PROVISIONING = timedelta(minutes=15)
"""Longer than an instance takes to become a host: its first boot and its host spec."""


@dataclass(slots=True, kw_only=True)
class Collected:
    """What was removed, as `<job>-<fence>` or an instance's id, and the hosts that did not answer."""

    containers: list[str] = field(default_factory=list)
    executions: list[str] = field(default_factory=list)
    instances: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)


def collect_orphans(berth: Berth, collected: Collected, *, over: Callable[[], bool]) -> None:
    """Remove orphans until none is left, or `over()`; note each in `collected`.

    Raises:
        StoreUnavailableError: the store or Step Functions did not answer.
    """
    for part in (_collect_containers, _collect_executions, _collect_instances):
        part(berth, collected, over)


def _collect_containers(berth: Berth, collected: Collected, over: Callable[[], bool]) -> None:
    for host in _hosts(berth):
        if over():
            return
        try:
            _collect_host(berth, berth.host(host), collected)
        except HostUnreachableError:
            collected.unreachable.append(host.id)


def _collect_executions(berth: Berth, collected: Collected, over: Callable[[], bool]) -> None:
    for page in _pages(berth.sequencer.open_executions()):
        if over():
            return
        jobs = berth.queue.get_jobs(job for job, _ in page)
        for job, fence in page:
            known = jobs.get(job)
            if _is_garbage(berth, known, fence) and not _moved_lately(berth, known):
                berth.sequencer.stop(job, fence, reason="its attempt is over")
                collected.executions.append(f"{job}-{fence}")


def _collect_instances(berth: Berth, collected: Collected, over: Callable[[], bool]) -> None:
    oldest = berth.clock.now() - _PROVISIONING
    for instance in berth.instances.launched():
        if over():
            return
        if instance.launched_at < oldest and berth.queue.get_host(instance.id) is None:
            berth.instances.terminate(instance.id)
            collected.instances.append(instance.id)


def _hosts(berth: Berth) -> Iterator[Host]:
    for pool in berth.queue.pools():
        yield from berth.queue.hosts(pool)


def _collect_host(berth: Berth, driver: HostDriver, collected: Collected) -> None:
    found = driver.attempts()
    jobs = berth.queue.get_jobs(job for job, _ in found)
    for job, fence in found:
        if _is_garbage(berth, jobs.get(job), fence):
            driver.remove_attempt(job, fence)
            collected.containers.append(f"{job}-{fence}")


def _is_garbage(berth: Berth, job: Job | None, fence: int) -> bool:
    if job is None or fence < job.fence:
        return True
    if fence > job.fence or job.live:
        return False
    finished = job.hops.get("finished")
    if job.state is JobState.DONE and finished is not None:
        return finished < berth.clock.now() - _GRACE
    return True  # requeued, and not claimed again: what is there is nobody's


def _moved_lately(berth: Berth, job: Job | None) -> bool:
    """Return whether the execution that moved the job may still be on its way to its own end."""
    latest = max(job.hops.values(), default=None) if job is not None else None
    return latest is not None and latest > berth.clock.now() - _GRACE


def _pages(found: Iterable[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    page: list[tuple[str, int]] = []
    for attempt in found:
        page.append(attempt)
        if len(page) == _AT_ONCE:
            yield page
            page = []
    if page:
        yield page
