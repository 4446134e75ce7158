"""The records that the store holds, as frozen values: pipeline, job, tenant, host.

Rule of this file: shapes only. Times are aware; None means "has not happened".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chalicelib.model.states import LIVE, HostState, JobState, Outcome

__all__ = [
    "Group",
    "Host",
    "Job",
    "JobRef",
    "Pipeline",
    "PipelineState",
    "Pool",
    "Source",
    "Tenant",
    "pipeline_outcome",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which commit of which repository.

    Attributes:
        repository: full name, `owner/name`.
        repository_id: GitHub's numeric id, as text.
        clone_url: where git fetches from; holds no credentials.
        sha: the commit.
        ref: full ref (`refs/heads/main`, `refs/tags/v1`, `refs/pull/7`).
        before: the commit the ref pointed at before, or empty.
        title: first line of the commit message, or the pull request's title, cut to 200 characters.
        author: who pushed, or opened the pull request.
        default_branch: the repository's, by its short name; empty when the delivery did not say.
    """

    repository: str
    repository_id: str
    clone_url: str
    sha: str
    ref: str
    before: str = ""
    title: str = ""
    author: str = ""
    default_branch: str = ""

    @property
    def branch(self) -> str:
        """Return the short branch name, or the empty string for a tag or a pull request."""
        return self.ref.removeprefix("refs/heads/") if self.ref.startswith("refs/heads/") else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRef:
    """A pipeline's pointer to one of its jobs, which has no item of its own before it is admitted.

    Attributes:
        id: see `names.job_id`; in a re-run of failed jobs it may be a job of the pipeline before.
        name: unique in the pipeline.
        needs: ids of jobs of the same pipeline that have to succeed before it is admitted.
    """

    id: str
    name: str
    needs: tuple[str, ...] = ()


class PipelineState(StrEnum):
    """A pipeline is received, planned (has jobs), or ended."""

    RECEIVED = "received"
    PLANNED = "planned"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """What one delivery asks for.

    Attributes:
        id: semantic id, see `names.pipeline_id`.
        tenant: the installation, as text.
        event: `push` or `pull_request`.
        delivery: GitHub's delivery GUID of the first delivery; a log key, never a dedupe key.
        rerun: the re-run counter that is part of the id.
        only_job: plan only the job of this name, whatever it needs; None means all.
        failed_of: the ended pipeline whose failed jobs this one runs again; its jobs that succeeded
            are this one's too. Empty for all others.
        received_at: when the webhook put it.
        planned_at: when its jobs were admitted.
        ended_at: when its last job ended, or planning failed.
        outcome: of the whole; None until ended.
        reason: one sentence for people when the outcome needs one (a config error, a lost host).
        jobs: in config order; empty until planned.
    """

    id: str
    tenant: str
    event: str
    source: Source
    delivery: str
    received_at: datetime
    rerun: int = 0
    only_job: str | None = None
    failed_of: str = ""
    state: PipelineState = PipelineState.RECEIVED
    planned_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    reason: str = ""
    jobs: tuple[JobRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The unit that is queued and run: queue entry, lease and record in one item.

    Attributes:
        id: see `names.job_id`.
        name: as in the config.
        pipeline: id of its pipeline.
        tenant: whose slot it takes.
        delivery: the delivery that asked for it; a log key.
        pool: which hosts may run it.
        state: see `states.JobState`.
        fence: 0 before the first claim, then the number of the current or last attempt.
        attempts: how many attempts were charged; a released claim is not charged.
        owner: claim nonce while LEASED, host id once bound; empty when nobody's.
        host: the host whose slot the current attempt holds, from the claim on.
        lease_until: the attempt's right to the job; None while nobody has it.
        stamp: the fairness stamp it queues under, kept for requeues.
        shard: which part of its tenant's slots it takes; 0 but for tenants of many slots.
        cancelled_as: while CANCELLING, the outcome it ends with; None otherwise.
        outcome: None until DONE.
        reason: one sentence for people about the outcome or the last lost attempt.
        hops: times of the hops, by name, in the order they happen:
            admitted, ready, claimed, dispatched, bound, started, finished.
            Those of the last attempt; earlier attempts are in the log.
    """

    id: str
    name: str
    pipeline: str
    tenant: str
    delivery: str = ""
    pool: str = "default"
    state: JobState
    fence: int = 0
    attempts: int = 0
    owner: str = ""
    host: str = ""
    lease_until: datetime | None = None
    stamp: int = 0
    shard: int = 0
    cancelled_as: Outcome | None = None
    outcome: Outcome | None = None
    reason: str = ""
    hops: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Whether an attempt exists."""
        return self.state in LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A GitHub account with a limit.

    Attributes:
        id: its installation, as text.
        limit: slots it may hold.
        weight: its share of the hosts beside tenants of weight 1.
        jobs: ids of the jobs that hold a slot.
        shards: how many items hold them.
    """

    id: str
    limit: int
    weight: int = 1
    jobs: frozenset[str] = frozenset()
    shards: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine that runs LXD.

    Attributes:
        id: instance id, or the name it was registered under.
        pool: the pool it belongs to.
        slots: how many containers it may hold at once.
        jobs: job id → fence of each container it holds.
        generation: boot generation; a claim made for an older one fails.
        address: how to reach it; empty for the machine the control plane runs on.
    """

    id: str
    pool: str = "default"
    slots: int
    state: HostState = HostState.UP
    jobs: Mapping[str, int] = field(default_factory=dict)
    generation: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A set of interchangeable hosts, and whether its jobs may be claimed now.

    Attributes:
        id: its name.
        lanes: shards of its ready queue that jobs are put into.
        lanes_read: shards that claimers look at; more than `lanes` for a while after a decrease.
        lanes_changed_at: when `lanes` was last set; None for never.
        paused: why a person stopped it, or everything; empty when nobody did.
        failures: attempts lost in a row before their container ran.
        closed_until: the breaker lets no job be claimed before that.
        failure: what the last of those failures was.
    """

    id: str
    lanes: int = 1
    lanes_read: int = 1
    lanes_changed_at: datetime | None = None
    paused: str = ""
    failures: int = 0
    closed_until: datetime | None = None
    failure: str = ""

    def barrier(self, now: datetime) -> str:
        """Return why no job of the pool may be claimed now, or the empty string."""
        if self.paused:
            return f"paused: {self.paused}"
        if self.closed_until is not None and now < self.closed_until:
            until = self.closed_until.strftime("%H:%M:%S UTC")
            return f"no claims until {until} after {self.failures} failures: {self.failure}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The newest pipeline of a ref, by the chain of its pushes; older ones are superseded.

    Attributes:
        id: see `names.group_id`.
        sha: the newest head known.
        pipeline: the pipeline of that head; empty while its delivery has not been planned.
        previous: the pipeline that was there before: to be cancelled, again after a crash.
    """

    id: str
    sha: str
    pipeline: str = ""
    previous: str = ""


_WORST_FIRST = (
    Outcome.FAILED,
    Outcome.TIMED_OUT,
    Outcome.INFRASTRUCTURE,
    Outcome.CANCELLED,
    Outcome.SUPERSEDED,
)


def pipeline_outcome(jobs: Sequence[Job]) -> tuple[Outcome, str] | None:
    """Return the outcome of a pipeline with these jobs and its reason; None while one is not DONE.

    The worst outcome is the pipeline's, and the first job that has it gives the reason.
    """
    if any(job.state is not JobState.DONE for job in jobs):
        return None
    for outcome in _WORST_FIRST:
        for job in jobs:
            if job.outcome is outcome:
                return outcome, f"{job.name}: {job.reason}" if job.reason else job.name
    return Outcome.SUCCEEDED, ""
