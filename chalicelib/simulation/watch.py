"""Looks at the table after every applied write, and at effects as they happen.

Only the items that a request names are read again, and invariants are asked about the tenants and
hosts that these concern; `whole` asks about everything, so that nothing can hide between.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chalicelib.model import LIVE, JobState
from chalicelib.simulation.engine import Engine
from chalicelib.simulation.history import History, Newest, Violation
from chalicelib.simulation.invariants import broken
from chalicelib.simulation.log_watch import LogWatch
from chalicelib.simulation.snapshot import (
    Changed,
    GroupRow,
    HostRow,
    JobRow,
    Row,
    Snapshot,
    TenantRow,
    Write,
    row_of,
)

__all__ = ["Watch", "written_keys"]

Key = tuple[str, str]
Items = Mapping[Key, Mapping[str, Any]]
Change = tuple[Row | None, Row]


class Watch:
    """The eye on one table.

    Attributes:
        rows: the table as it is, by kind and name.
        logs: the eye on those items that are of logs.
    """

    def __init__(
        self, engine: Engine, history: History, items: Callable[[], Items], *, default_limit: int
    ) -> None:
        self.rows = Snapshot()
        self.logs = LogWatch(engine, history)
        self._engine = engine
        self._history = history
        self._items = items
        self._default_limit = default_limit
        self._versions: dict[str, int] = {}

    def applied(self, operation: str, request: Mapping[str, Any]) -> None:
        """Take in what the request has changed, and judge it."""
        items = self._items()
        changes: list[Change] = []
        for pk, sk in written_keys(operation, request):
            raw = items.get((pk, sk))
            if raw is not None and _is_of_log(pk, sk):
                self.logs.written(pk, sk, raw)
            elif raw is not None and operation != "BatchWriteItem":
                self._look_at_version(pk, int(raw["v"]["N"]))
            after = self._row(pk, sk, raw) if raw is not None else None
            if after is None:
                continue
            before = self.rows.put(pk, after)
            if before != after:
                changes.append((before, after))
        if changes:
            self._judge(changes)

    def effect(self, job: str, fence: int) -> None:
        """Judge an effect outside the table."""
        history = self._history
        history.effects, history.last = [(job, fence)], Write()
        history.found(broken(Snapshot(), history))
        history.effects = []

    def told_lost(self, attempt: tuple[str, int]) -> None:
        """Judge that an attempt was told to stop: no live one may be."""
        job = self.rows.jobs.get(attempt[0])
        if job is not None and job.fence == attempt[1] and job.state in LIVE:
            self._found("L5", job.id, f"attempt {job.fence} is {job.state}, and told to stop")

    def whole(self) -> Snapshot:
        """Judge all of the table, read anew, and return it."""
        fresh, history = Snapshot(whole=True), self._history
        for (pk, sk), raw in self._items().items():
            row = self._row(pk, sk, raw)
            if row is not None:
                fresh.put(pk, row)
        history.effects, history.last = list(history.executions), Write()
        history.found(broken(fresh, history))
        history.effects = []
        return fresh

    def _look_at_version(self, pk: str, version: int) -> None:
        """Judge V1; specs are written in batches, which know no conditions, and stay what they are."""
        if self._versions.get(pk, 0) > version:
            self._found("V1", pk, f"was of schema {self._versions[pk]}, is of {version}")
        self._versions[pk] = version

    def _found(self, invariant: str, subject: str, told: str) -> None:
        step = self._history.step
        self._history.found([Violation(invariant=invariant, subject=subject, told=told, step=step)])

    def _row(self, pk: str, sk: str, raw: Mapping[str, Any]) -> Row | None:
        return row_of(pk, raw, default_limit=self._default_limit) if sk == "S" else None

    def _judge(self, changes: list[Change]) -> None:
        actor, history = self._engine.current, self._history
        history.last = Write(
            actor=actor.name if actor else "world",
            attempt=actor.attempt if actor else None,
            at_ms=self._engine.now_ms,
            begun_ms=actor.begun_ms if actor else 0,
            jobs=tuple(Changed(_job(a), b) for a, b in changes if isinstance(b, JobRow)),
            tenants=tuple((a, b) for a, b in changes if isinstance(b, TenantRow)),  # type: ignore[misc]
            hosts=tuple((a, b) for a, b in changes if isinstance(b, HostRow)),  # type: ignore[misc]
        )
        history.remember(history.last.jobs)
        for old, new in history.last.jobs:
            if old and new and old.state in LIVE and new.state == JobState.DONE:
                self.logs.ended((new.id, new.fence))
        for _, after in changes:
            if isinstance(after, GroupRow):
                history.newest[after.id] = Newest(after.sha, self._engine.now_ms)
        history.found(broken(self._part(history.last), history))

    def _part(self, write: Write) -> Snapshot:
        """Return the tenants and hosts that the write concerns, each with all its jobs."""
        met = [row for change in write.jobs for row in change if row is not None]
        tenants = {row.tenant for row in met} | {row.id for _, row in write.tenants}
        hosts = {row.host for row in met if row.host} | {row.id for _, row in write.hosts}
        rows = self.rows
        return Snapshot(
            jobs={
                key: job
                for key, job in rows.jobs.items()
                if job.tenant in tenants or job.host in hosts
            },
            tenants={key: row for key, row in rows.tenants.items() if row.id in tenants},
            hosts={key: row for key, row in rows.hosts.items() if row.id in hosts},
        )


def written_keys(operation: str, request: Mapping[str, Any]) -> Iterator[Key]:
    """Yield the keys of the items that a request may change."""
    match operation:
        case "PutItem":
            yield _key(request["Item"])
        case "UpdateItem" | "DeleteItem":
            yield _key(request["Key"])
        case "TransactWriteItems":
            for each in request["TransactItems"]:
                ((kind, write),) = each.items()
                yield _key(write["Item" if kind == "Put" else "Key"])
        case "BatchWriteItem":
            for writes in request["RequestItems"].values():
                for write in writes:
                    yield _key(write["PutRequest"]["Item"])
        case _:
            raise NotImplementedError(f"what {operation} writes is not known")


def _is_of_log(pk: str, sk: str) -> bool:
    return pk.startswith("L#") and sk != "S"  # with that sort key it is a pool


def _key(named: Mapping[str, Any]) -> Key:
    return named["pk"]["S"], named["sk"]["S"]


def _job(row: Row | None) -> JobRow | None:
    return row if isinstance(row, JobRow) else None
