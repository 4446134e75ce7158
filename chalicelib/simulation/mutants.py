"""Ways to break the protocol on purpose: each must be found, or be harmless for a reason (method M7).

A mutant replaces an exact text of the product's source, which has to be there exactly once, so that
the table stays true. The eleven of protocol section 3.4 come first. Nothing is imported here: the
product's modules must not be loaded before one of them is changed.
"""

from dataclasses import dataclass

__all__ = ["MUTANTS", "Mutant"]

_CHANGES = "chalicelib/queue/dynamodb_changes.py"
_QUEUE = "chalicelib/queue/dynamodb.py"
_RECOVER = "chalicelib/services/recover_attempt.py"
_TENANTS = "chalicelib/queue/dynamodb_tenants.py"
_LOGS = "chalicelib/logs/dynamodb.py"
_VERSIONS = "chalicelib/queue/dynamodb_versions.py"
_SWEEP = "chalicelib/services/sweep.py"
_ORPHANS = "chalicelib/services/collect_orphans.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change of one file.

    Attributes:
        name: what is broken, in words.
        file: below the root of the repository.
        text: what is there, exactly once.
        replacement: what is there instead.
        harmless: why no invariant can break; empty for one that has to be found.
    """

    name: str
    file: str
    text: str
    replacement: str
    harmless: str = ""


MUTANTS = (
    Mutant(
        name="finish and heartbeat check the state alone",
        file=_CHANGES,
        text="condition=(JobItem.fence == fence) & _is_in(JobState.RUNNING, JobState.CANCELLING),",
        replacement="condition=_is_in(JobState.RUNNING, JobState.CANCELLING),",
    ),
    Mutant(
        name="finish checks the id alone",
        file=_QUEUE,
        text="if seen is None or seen.fence != fence or not seen.host:",
        replacement="if seen is None or not seen.host:",
    ),
    Mutant(
        name="requeue compares neither fence nor lease",
        file=_CHANGES,
        text="(JobItem.fence == seen.fence) & leased & _is_in(JobState.LEASED, JobState.RUNNING)",
        replacement="_is_in(JobState.LEASED, JobState.RUNNING)",
    ),
    Mutant(
        name="claim trusts the index",
        file=_QUEUE,
        text="        if seen.state is not JobState.READY:\n            return None\n        claimed",
        replacement="        claimed",
    ),
    Mutant(
        name="an execution is not named by its fence",
        file="chalicelib/services/claim_job.py",
        text="berth.sequencer.start(claimed.id, claimed.fence)",
        replacement="berth.sequencer.start(claimed.id, 1)",
    ),
    Mutant(
        name="a container is not named by its fence",
        file="chalicelib/services/dispatch_attempt.py",
        text="        job=job.id,\n        fence=job.fence,\n        image=spec.image,",
        replacement="        job=job.id,\n        fence=1,\n        image=spec.image,",
    ),
    Mutant(
        name="the slot is released while the container stays",
        file=_CHANGES,
        text="            JobItem.state.set(JobState.CANCELLING.value),",
        replacement="            JobItem.state.set(JobState.DONE.value),",
    ),
    Mutant(
        name="finish is no transaction, and frees no host slot",
        file=_QUEUE,
        text=(
            "                end_change(seen, ended),\n"
            "                self._free_slot(seen, now=now),\n"
            "                free_host_slot(seen),\n"
        ),
        replacement=(
            "                end_change(seen, ended),\n"
            "                self._free_slot(seen, now=now),\n"
        ),
    ),
    Mutant(
        name="no sweeper reaps",
        file=_SWEEP,
        text="_is_expired(job, latest) and len(swept.reaped) < allowed",
        replacement="_is_expired(job, latest) and len(swept.reaped) < 0",
    ),
    Mutant(
        name="finish frees no tenant slot",
        file=_QUEUE,
        text=(
            "                end_change(seen, ended),\n"
            "                self._free_slot(seen, now=now),\n"
        ),
        replacement="                end_change(seen, ended),\n",
    ),
    Mutant(
        name="a failed claim always means that it was lost",
        file=_QUEUE,
        text="return found if found is not None and found.owner == nonce else None",
        replacement="return None",
        harmless=(
            "the transaction's token answers the repeat; ten minutes later one lease is wasted"
        ),
    ),
    Mutant(
        name="bind checks no fence",
        file=_CHANGES,
        text="        condition=(JobItem.fence == fence)\n        & (JobItem.host == host)",
        replacement="        condition=(JobItem.host == host)",
    ),
    Mutant(
        name="writes check the fence without the state",
        file=_CHANGES,
        text="condition: Condition = _is_in(seen.state) & (JobItem.fence == seen.fence)",
        replacement="condition: Condition = JobItem.fence == seen.fence",
    ),
    Mutant(
        name="requeue compares no lease",
        file=_CHANGES,
        text="(JobItem.fence == seen.fence) & leased & _is_in",
        replacement="(JobItem.fence == seen.fence) & _is_in",
        harmless=(
            "the fence alone decides who may write; comparing the lease saves an attempt that is "
            "heard of again in the very second in which it is taken away"
        ),
    ),
    Mutant(
        name="a cancelled attempt is requeued",
        file=_CHANGES,
        text="leased & _is_in(JobState.LEASED, JobState.RUNNING)",
        replacement="leased & _is_in(JobState.LEASED, JobState.RUNNING, JobState.CANCELLING)",
    ),
    Mutant(
        name="a claim looks at no room on the host",
        file=_CHANGES,
        text="\n        & fewer_than(HostItem.jobs, HostItem.slots)",
        replacement="",
    ),
    Mutant(
        name="a claim looks at no generation of the host",
        file=_CHANGES,
        text="        & (HostItem.generation == host.generation)\n",
        replacement="",
        harmless=(
            "a claim takes a slot and touches no container: the dispatcher, which comes later, "
            "meets the host as it is by then"
        ),
    ),
    Mutant(
        name="a claim asks not whether the host is up",
        file=_CHANGES,
        text="(HostItem.state == HostState.UP.value)\n        & (HostItem.gen",
        replacement="(HostItem.gen",
    ),
    Mutant(
        name="a slot is taken without room",
        file=_TENANTS,
        text="condition=self._has_room() & TenantItem",
        replacement="condition=TenantItem",
    ),
    Mutant(
        name="a lost answer of admit is not recognised",
        file=_QUEUE,
        text="found = met(refused) if refused.repeated else None",
        replacement="found = None",
        harmless="the job is in its lane all the same, and is claimed by whoever looks next",
    ),
    Mutant(
        name="a stored result is not looked at before a requeue",
        file=_RECOVER,
        text="if berth.logs.get_result(job, fence) is not None:",
        replacement="if berth.logs.get_result(job, fence) is not None and not fence:",
    ),
    Mutant(
        name="silence alone takes an attempt away",
        file=_RECOVER,
        text="if silent and record.state is not JobState.LEASED and living",
        replacement="if silent and not fence and living",
    ),
    Mutant(
        name="no amnesty after an outage",
        file=_SWEEP,
        text="swept.amnesty = now - since < berth.policy.lease",
        replacement="swept.amnesty = False",
    ),
    Mutant(
        name="no container is collected",
        file=_ORPHANS,
        text="        if _is_garbage(berth, jobs.get(job), fence):",
        replacement="        if not fence:",
    ),
    Mutant(
        name="no execution is collected",
        file=_ORPHANS,
        text="if _is_garbage(berth, known, fence) and not",
        replacement="if not fence and not",
        harmless=(
            "an execution that nobody feeds ends by its heartbeat; collecting them is for "
            "interpreters of the language that know none"
        ),
    ),
    Mutant(
        name="the sweeper promotes nobody",
        file=_SWEEP,
        text='    for tenant in tenants:\n        if over("tenants"):\n            return',
        replacement="    for tenant in tenants:\n        if tenant:\n            return",
    ),
    Mutant(
        name="the sweeper plans nothing",
        file=_SWEEP,
        text="    elif len(swept.planned) < _PLANNERS:",
        replacement="    elif len(swept.planned) < 0:",
    ),
    Mutant(
        name="a superseded commit is dispatched",
        file="chalicelib/services/dispatch_attempt.py",
        text="    if is_superseded(berth, pipeline):",
        replacement="    if is_superseded(berth, pipeline) and not fence:",
    ),
    Mutant(
        name="an old attempt's report is taken",
        file="chalicelib/services/end_attempt.py",
        text="    if job is None or job.fence != ticket.fence:",
        replacement="    if job is None:",
        harmless="it is stored under its own fence, and finishing is fenced again",
    ),
    Mutant(
        name="a job is admitted again",
        file=_QUEUE,
        text="        absent = JobItem.pk.does_not_exist()\n        shard",
        replacement="        absent = None\n        shard",
    ),
    Mutant(
        name="shards of a lowered limit merely add up to it",
        file=_TENANTS,
        text="return tuple(max(0, jobs - beyond) for jobs in used)",
        replacement="return (limit, *[0] * (len(used) - 1))",
    ),
    Mutant(
        name="nobody settles the shares of a lowered limit",
        file=_SWEEP,
        text="        if tenant.shards > 1:\n",
        replacement="        if tenant.shards > 100:\n",
    ),
    Mutant(
        name="a slot is freed in the first shard alone",
        file=_TENANTS,
        text="key=tenant_key(job.tenant, job.shard),",
        replacement="key=tenant_key(job.tenant),",
    ),
    Mutant(
        name="a promoted job does not say its shard",
        file=_CHANGES,
        text="*([JobItem.shard.set(shard)] if shard else []),",
        replacement="",
    ),
    Mutant(
        name="a transaction is named by its body alone",
        file="chalicelib/queue/dynamodb_table.py",
        text="this_call = [next(self._transactions), self._random.uniform(0, 1), verb, request]",
        replacement="this_call = [verb, request]",
    ),
    Mutant(
        name="a reader refuses the schema before its own",
        file=_VERSIONS,
        text="if not version - 1 <= found <= version:",
        replacement="if found != version:",
    ),
    Mutant(
        name="an old release writes over items of a new one",
        file=_VERSIONS,
        text="path.does_not_exist() | (path <= version)",
        replacement="path.does_not_exist() | (path <= version + 1)",
    ),
    Mutant(
        name="an item of a newer release is taken for a lost attempt",
        file="chalicelib/queue/dynamodb_table.py",
        text="                        check_version(refused.item, self._version)\n",
        replacement="                        pass\n",
    ),
    Mutant(
        name="a job ends before its log is sealed",
        file="chalicelib/services/finish_job.py",
        text="    berth.logs.seal(job, fence)\n    now",
        replacement="    now",
    ),
    Mutant(
        name="a late line asks not whether the log is sealed",
        file=_LOGS,
        text="        if self._sealed_until(key) is not None:\n",
        replacement="        if not fence:\n",
    ),
    Mutant(
        name="a log is sealed without its mark",
        file=_LOGS,
        text="            self._mark_sealed(key)\n",
        replacement="            pass\n",
    ),
    Mutant(
        name="a record gives way to an older one",
        file=_LOGS,
        text='"attribute_not_exists(pk) OR k <= :k"',
        replacement='"attribute_not_exists(pk) OR k < :k OR k >= :k"',
    ),
    Mutant(
        name="an attempt's lines go to its job's log",
        file=_LOGS,
        text='return f"L#{job}#{fence}"',
        replacement='return f"L#{job}#1"',
    ),
)
