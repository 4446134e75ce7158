"""The items of the table as pynamodb models, and their way into values.

One place for every key and attribute name (queue protocol section 1.2). Names are short because
an item is billed by the kilobyte, names included, and hot items stay under one. Times are Unix
milliseconds, but `ttl`, which DynamoDB wants in seconds. Nothing here sends anything.

    pk               sk  item
    J#<job>          S   job: queue entry, lease and record
    J#<job>          P   its spec, immutable
    T#<tenant>       S   tenant: the set of jobs that hold a slot
    T#<tenant>#<k>   S   the same for its further shards, k from 1
    H#<host>         S   host: job → fence of each container
    V#<pipeline>     S   pipeline
    G#<group>        S   newest pipeline of a ref
    L#<pool>         S   pool: lanes, breaker, pause; L#* pauses everything
    C#sweep          S   when the sweeper passes

    index q          o                      member while
    R#<pool>#<lane>  stamp                  job READY
    P#<tenant>       stamp at arrival       job PENDING
    A#<0..7>         tenant                 tenant may have jobs
    H#<pool>         host                   registered
    L                pool                   it has, or had, hosts
    U, then V        received               pipeline open; then for ever
"""

import json
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from pynamodb.attributes import Attribute, BinaryAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.constants import MAP, NUMBER
from pynamodb.exceptions import AttributeDeserializationError, AttributeNullError
from pynamodb.models import Model

from chalicelib.clock import from_ms, to_ms
from chalicelib.errors import StoreUnavailableError
from chalicelib.model import Group, Host, HostState, Job, JobSpec, JobState, Outcome, Pool
from chalicelib.queue.dynamodb_table import Key, Raw

__all__ = [
    "HOPS",
    "RETENTION",
    "GroupItem",
    "HostItem",
    "Item",
    "JobItem",
    "NumbersAttribute",
    "PoolItem",
    "SpecItem",
    "SweepItem",
    "TenantItem",
    "group_key",
    "host_key",
    "job_key",
    "parse_group",
    "parse_host",
    "parse_job",
    "parse_pool",
    "parse_spec",
    "pool_key",
    "read",
    "spec_item",
    "spec_key",
    "sweep_key",
    "tenant_key",
    "ttl_of",
]

RETENTION = timedelta(days=90)
"""How long an ended job or pipeline, and a spec, stays. As long as CloudFormation keeps logs."""

HOPS = ("admitted", "ready", "claimed", "dispatched", "bound", "started", "finished")
"""The hops in the order they happen."""


class NumbersAttribute(Attribute[Mapping[str, int]]):
    """A map of names to whole numbers. pynamodb's own raw map is untyped and ten times the code."""

    attr_type = MAP

    def serialize(self, value: Mapping[str, int]) -> dict[str, dict[str, str]]:
        """Return the map in DynamoDB's form."""
        return {name: {NUMBER: str(number)} for name, number in value.items()}

    def deserialize(self, value: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
        """Return the map that `serialize` wrote."""
        return {name: int(number[NUMBER]) for name, number in value.items()}


class Item(Model):
    """What every item has, beside the schema version that `DynamoTable` writes and looks at."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    partition = UnicodeAttribute(attr_name="q", null=True)
    order = UnicodeAttribute(attr_name="o", null=True)
    ttl = NumberAttribute(null=True)


class JobItem(Item):
    """A job. `q` and `o` are there exactly while it is PENDING or READY."""

    name = UnicodeAttribute(attr_name="n")
    pipeline = UnicodeAttribute(attr_name="pl")
    tenant = UnicodeAttribute(attr_name="t")
    delivery = UnicodeAttribute(attr_name="dv", null=True)
    pool = UnicodeAttribute(attr_name="po")
    priority_s = NumberAttribute(attr_name="pr")
    state = UnicodeAttribute(attr_name="st")
    fence = NumberAttribute(attr_name="f")
    attempts = NumberAttribute(attr_name="at")
    stamp = NumberAttribute(attr_name="sp")
    owner = UnicodeAttribute(attr_name="w", null=True)
    host = UnicodeAttribute(attr_name="hn", null=True)
    lease_until = NumberAttribute(attr_name="lu", null=True)
    shard = NumberAttribute(attr_name="sh", null=True)
    cancelled_as = UnicodeAttribute(attr_name="ca", null=True)
    outcome = UnicodeAttribute(attr_name="out", null=True)
    reason = UnicodeAttribute(attr_name="rs", null=True)
    hops = NumbersAttribute(attr_name="h")


class SpecItem(Item):
    """What a job is asked to do: JSON, compressed."""

    packed = BinaryAttribute(attr_name="z", legacy_encoding=False)
    pipeline = UnicodeAttribute(attr_name="pl", null=True)


class TenantItem(Item):
    """A tenant, or a further shard of one.

    `lim` is this shard's share of the limit. It is there once somebody set a limit; until then the
    settings' one counts. The whole limit, the weight and the number of shards are on the first.
    """

    jobs = NumbersAttribute(attr_name="r")
    limit = NumberAttribute(attr_name="lim", null=True)
    weight = NumberAttribute(attr_name="wt", null=True)
    total = NumberAttribute(attr_name="tl", null=True)
    shards = NumberAttribute(attr_name="sn", null=True)
    used_at = NumberAttribute(attr_name="ua", null=True)


class HostItem(Item):
    """A host."""

    jobs = NumbersAttribute(attr_name="r")
    pool = UnicodeAttribute(attr_name="po")
    slots = NumberAttribute(attr_name="cap")
    state = UnicodeAttribute(attr_name="st")
    generation = UnicodeAttribute(attr_name="gen")
    address = UnicodeAttribute(attr_name="ad")


class PoolItem(Item):
    """A pool. What nobody has set is not there."""

    lanes = NumberAttribute(attr_name="ln", null=True)
    lanes_read = NumberAttribute(attr_name="lr", null=True)
    lanes_changed_at = NumberAttribute(attr_name="lc", null=True)
    paused = UnicodeAttribute(attr_name="ps", null=True)
    failures = NumberAttribute(attr_name="fl", null=True)
    closed_until = NumberAttribute(attr_name="cu", null=True)
    failure = UnicodeAttribute(attr_name="fr", null=True)


class GroupItem(Item):
    """The newest pipeline of a ref."""

    sha = UnicodeAttribute()
    pipeline = UnicodeAttribute(attr_name="pl")
    previous = UnicodeAttribute(attr_name="pv")


class SweepItem(Item):
    """The sweeper's last pass, and since when it has passed without a gap."""

    at = NumberAttribute()
    since = NumberAttribute(attr_name="si")


_T = TypeVar("_T", bound=Item)


def job_key(job: str) -> Key:
    """Return the key of a job's item."""
    return Key(f"J#{job}")


def spec_key(job: str) -> Key:
    """Return the key of a job's spec."""
    return Key(f"J#{job}", "P")


def tenant_key(tenant: str, shard: int = 0) -> Key:
    """Return the key of a tenant's item, or of one of its further shards."""
    return Key(f"T#{tenant}#{shard}" if shard else f"T#{tenant}")


def pool_key(pool: str) -> Key:
    """Return the key of a pool's item."""
    return Key(f"L#{pool}")


def group_key(group: str) -> Key:
    """Return the key of a group's item."""
    return Key(f"G#{group}")


def host_key(host: str) -> Key:
    """Return the key of a host's item."""
    return Key(f"H#{host}")


def sweep_key() -> Key:
    """Return the key of the sweeper's item."""
    return Key("C#sweep")


def read(model: type[_T], raw: Raw) -> _T:
    """Return the item as its model.

    Raises:
        StoreUnavailableError: something else is there. (Whether the item's schema is one to be read
            is looked at by `DynamoTable`.)
    """
    try:
        return model.from_raw_data(dict(raw))
    except (AttributeDeserializationError, AttributeNullError, ValueError) as error:
        raise StoreUnavailableError(reason=f"{_pk(raw)} cannot be read: {error}") from error


def parse_job(raw: Raw) -> Job:
    """Return the job in an item."""
    item = read(JobItem, raw)
    return Job(
        id=item.pk.partition("#")[2],
        name=item.name,
        pipeline=item.pipeline,
        tenant=item.tenant,
        delivery=item.delivery or "",
        pool=item.pool,
        state=JobState(item.state),
        fence=int(item.fence),
        attempts=int(item.attempts),
        owner=item.owner or "",
        host=item.host or "",
        lease_until=from_ms(int(item.lease_until)) if item.lease_until else None,
        stamp=int(item.stamp),
        shard=int(item.shard or 0),
        cancelled_as=Outcome(item.cancelled_as) if item.cancelled_as else None,
        outcome=Outcome(item.outcome) if item.outcome else None,
        reason=item.reason or "",
        hops={hop: from_ms(item.hops[hop]) for hop in HOPS if hop in item.hops},
    )


def parse_host(raw: Raw) -> Host:
    """Return the host in an item."""
    item = read(HostItem, raw)
    return Host(
        id=item.pk.partition("#")[2],
        pool=item.pool,
        slots=int(item.slots),
        state=HostState(item.state),
        jobs=dict(item.jobs),
        generation=item.generation,
        address=item.address,
    )


def parse_pool(raw: Raw) -> Pool:
    """Return the pool in an item."""
    item = read(PoolItem, raw)
    lanes = int(item.lanes or 1)
    return Pool(
        id=item.pk.partition("#")[2],
        lanes=lanes,
        lanes_read=max(lanes, int(item.lanes_read or 1)),
        lanes_changed_at=from_ms(int(item.lanes_changed_at)) if item.lanes_changed_at else None,
        paused=item.paused or "",
        failures=int(item.failures or 0),
        closed_until=from_ms(int(item.closed_until)) if item.closed_until else None,
        failure=item.failure or "",
    )


def parse_group(raw: Raw) -> Group:
    """Return the group in an item."""
    item = read(GroupItem, raw)
    return Group(
        id=item.pk.partition("#")[2], sha=item.sha, pipeline=item.pipeline, previous=item.previous
    )


def spec_item(job: str, spec: JobSpec, *, pipeline: str, now: datetime) -> SpecItem:
    """Return the item of a spec. Identical specs pack identically."""
    text = json.dumps(spec.to_json(), sort_keys=True, separators=(",", ":"))
    key = spec_key(job)
    packed = zlib.compress(text.encode(), 9)
    return SpecItem(key.pk, key.sk, packed=packed, pipeline=pipeline, ttl=ttl_of(now))


def parse_spec(packed: bytes) -> JobSpec:
    """Return the spec that `spec_item` packed.

    Raises:
        StoreUnavailableError: it is of a version this code does not read.
    """
    try:
        return JobSpec.from_json(json.loads(zlib.decompress(packed)))
    except (ValueError, KeyError, zlib.error) as error:
        raise StoreUnavailableError(reason=f"a job spec cannot be read: {error}") from error


def ttl_of(now: datetime) -> int:
    """Return when DynamoDB may forget what ended now, in Unix seconds."""
    return to_ms(now + RETENTION) // 1000


def _pk(raw: Raw) -> str:
    return str(raw.get("pk", {}).get("S", "an item"))
