"""What invariants look at: the table's items as rows, and one write as what it changed.

Rows are read from raw items by attribute name, not through the product's own parsing, which is among
the things under test.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

__all__ = [
    "Changed",
    "GroupRow",
    "HostRow",
    "JobRow",
    "PipelineRow",
    "PoolRow",
    "Row",
    "Snapshot",
    "TenantRow",
    "Write",
    "row_of",
]

Raw = Mapping[str, Any]
R = TypeVar("R")


class JobRow(NamedTuple):
    """A job's item."""

    id: str
    state: str
    fence: int
    attempts: int
    tenant: str
    pool: str
    host: str
    pipeline: str
    partition: str
    shard: str
    outcome: str
    reason: str
    lease_ms: int
    size: int


class TenantRow(NamedTuple):
    """One shard of a tenant.

    Attributes:
        id: the tenant's.
        shard: its number; "0" is the first, whose key has none.
        jobs: those that hold a slot here.
        limit: the share of this shard.
        total: the whole limit; only the first shard says it.
        shards: how many there are; only the first shard says it.
        partition: in the index.
        size: of the item, in bytes.
    """

    id: str
    shard: str
    jobs: frozenset[str]
    limit: int
    total: int
    shards: int
    partition: str
    size: int


class HostRow(NamedTuple):
    """A host's item."""

    id: str
    jobs: Mapping[str, int]
    slots: int
    state: str
    generation: str
    size: int


class PipelineRow(NamedTuple):
    """A pipeline's item."""

    id: str
    state: str
    outcome: str
    partition: str
    jobs: tuple[str, ...]


class PoolRow(NamedTuple):
    """A pool's switch and breaker; `*` stands for all of them."""

    id: str
    paused: bool
    closed_until_ms: int


class GroupRow(NamedTuple):
    """The newest head of a ref."""

    id: str
    sha: str


Row = JobRow | TenantRow | HostRow | PipelineRow | GroupRow | PoolRow


class Changed(NamedTuple):
    """A job before and after a write; None when there was none."""

    before: JobRow | None
    after: JobRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One applied write.

    Attributes:
        actor: who wrote.
        attempt: the (job, fence) the actor acts for, if for one.
        at_ms: when.
        begun_ms: when that actor began.
        jobs: the jobs that it changed.
        tenants: each tenant shard that it changed, before and after.
        hosts: each host likewise.
    """

    actor: str = ""
    attempt: tuple[str, int] | None = None
    at_ms: int = 0
    begun_ms: int = 0
    jobs: tuple[Changed, ...] = ()
    tenants: tuple[tuple[TenantRow | None, TenantRow], ...] = ()
    hosts: tuple[tuple[HostRow | None, HostRow], ...] = ()


@dataclass(slots=True)
class Snapshot:
    """Rows by key; all of the table, or a part that is whole for the tenants and hosts in it."""

    jobs: dict[str, JobRow] = field(default_factory=dict)
    tenants: dict[str, TenantRow] = field(default_factory=dict)
    hosts: dict[str, HostRow] = field(default_factory=dict)
    pipelines: dict[str, PipelineRow] = field(default_factory=dict)
    groups: dict[str, GroupRow] = field(default_factory=dict)
    pools: dict[str, PoolRow] = field(default_factory=dict)
    whole: bool = False

    def shards_of(self, tenant: str) -> list[TenantRow]:
        """Return the tenant's shards, the first one first."""
        shards = [row for row in self.tenants.values() if row.id == tenant]
        return sorted(shards, key=lambda row: int(row.shard))

    def put(self, pk: str, row: Row) -> Row | None:
        """Keep the row, jobs and pipelines by id, all else by key; return the one before."""
        match row:
            case JobRow():
                return _swap(self.jobs, row.id, row)
            case TenantRow():
                return _swap(self.tenants, pk, row)
            case HostRow():
                return _swap(self.hosts, row.id, row)
            case PipelineRow():
                return _swap(self.pipelines, row.id, row)
            case GroupRow():
                return _swap(self.groups, row.id, row)
            case PoolRow():
                return _swap(self.pools, row.id, row)


def row_of(pk: str, raw: Raw, *, default_limit: int) -> Row | None:
    """Return the row of an item, or None for one that no invariant looks at."""
    kind, _, name = pk.partition("#")
    if kind == "T":
        return _tenant(name, raw, default_limit)
    reader = _READERS.get(kind)
    return reader(name, raw) if reader is not None else None


def _swap(shelf: dict[str, R], key: str, row: R) -> R | None:
    before = shelf.get(key)
    shelf[key] = row
    return before


def _tenant(name: str, raw: Raw, default_limit: int) -> TenantRow:
    tenant, _, shard = name.partition("#")
    limit = _number(raw, "lim", default_limit)
    return TenantRow(
        id=tenant,
        shard=shard or "0",
        jobs=frozenset(raw["r"]["M"]),
        limit=limit,
        total=_number(raw, "tl", limit),
        shards=_number(raw, "sn", 1),
        partition=_text(raw, "q"),
        size=_size(raw),
    )


def _host(name: str, raw: Raw) -> HostRow:
    return HostRow(
        id=name,
        jobs={job: int(fence["N"]) for job, fence in raw["r"]["M"].items()},
        slots=int(raw["cap"]["N"]),
        state=raw["st"]["S"],
        generation=raw["gen"]["S"],
        size=_size(raw),
    )


def _pipeline(name: str, raw: Raw) -> PipelineRow:
    return PipelineRow(
        id=name,
        state=raw["st"]["S"],
        outcome=_text(raw, "out"),
        partition=_text(raw, "q"),
        jobs=tuple(job for job, *_ in json.loads(_text(raw, "js") or "[]")),
    )


def _group(name: str, raw: Raw) -> GroupRow:
    return GroupRow(id=name, sha=raw["sha"]["S"])


def _pool(name: str, raw: Raw) -> PoolRow:
    return PoolRow(id=name, paused="ps" in raw, closed_until_ms=_number(raw, "cu", 0))


def _job(name: str, raw: Raw) -> JobRow:
    return JobRow(
        id=name,
        state=raw["st"]["S"],
        fence=int(raw["f"]["N"]),
        attempts=int(raw["at"]["N"]),
        tenant=raw["t"]["S"],
        pool=raw["po"]["S"],
        host=_text(raw, "hn"),
        pipeline=raw["pl"]["S"],
        partition=_text(raw, "q"),
        shard=str(_number(raw, "sh", 0)),
        outcome=_text(raw, "out"),
        reason=_text(raw, "rs"),
        lease_ms=_number(raw, "lu", 0),
        size=_size(raw),
    )


def _text(raw: Raw, name: str) -> str:
    value = raw.get(name)
    return str(value["S"]) if value else ""


def _number(raw: Raw, name: str, default: int) -> int:
    value = raw.get(name)
    return int(value["N"]) if value else default


def _size(raw: Raw) -> int:
    """Return the item's bytes, near enough: names, texts, digits, and a little for each map entry."""
    total = 0
    for name, value in raw.items():
        total += len(name)
        ((kind, content),) = value.items()
        total += sum(len(k) + 8 for k in content) + 3 if kind == "M" else len(content)
    return total


_READERS: Mapping[str, Callable[[str, Raw], Row]] = MappingProxyType(
    {"J": _job, "H": _host, "V": _pipeline, "G": _group, "L": _pool}
)
"""By what a key begins with: see the table in `queue/dynamodb_items.py`."""
