"""The record of pipelines over DynamoDB, and the specs of their jobs.

A pipeline is in index partition U until it has ended, then in V for ever; a listing merges both.
Sort keys carry the time it was received and its id, so a page needs no more than the last key shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from pynamodb.attributes import JSONAttribute, NumberAttribute, UnicodeAttribute

from chalicelib.clock import from_ms, to_ms
from chalicelib.errors import PayloadError
from chalicelib.model import JobRef, JobSpec, Outcome, Pipeline, PipelineState, Source
from chalicelib.queue.cursor import decode_cursor, encode_cursor
from chalicelib.queue.dynamodb_items import (
    Item,
    SpecItem,
    parse_spec,
    read,
    spec_item,
    spec_key,
    ttl_of,
)
from chalicelib.queue.dynamodb_table import Change, DynamoTable, Key, Put, Raw, Refused
from chalicelib.queue.protocol import PipelinePage
from chalicelib.queue.stamp import sort_key

__all__ = ["DynamoPipelines", "PipelineItem"]

_OPEN = "U"
_ENDED = "V"
_MAX_SPEC_BYTES = 300 * 1024
_MAX_PAGE = 100
_MAX_REASON = 2_000


class PipelineItem(Item):
    """A pipeline. Read for pages and plans only, so readable beats small."""

    tenant = UnicodeAttribute(attr_name="t")
    event = UnicodeAttribute(attr_name="ev")
    source = JSONAttribute(attr_name="src")
    delivery = UnicodeAttribute(attr_name="dv")
    received_at = NumberAttribute(attr_name="ra")
    rerun = NumberAttribute(attr_name="rr")
    only_job = UnicodeAttribute(attr_name="oj", null=True)
    failed_of = UnicodeAttribute(attr_name="fo", null=True)
    state = UnicodeAttribute(attr_name="st")
    planned_at = NumberAttribute(attr_name="pa", null=True)
    ended_at = NumberAttribute(attr_name="ea", null=True)
    outcome = UnicodeAttribute(attr_name="out", null=True)
    reason = UnicodeAttribute(attr_name="rs", null=True)
    jobs = JSONAttribute(attr_name="js", null=True)


class DynamoPipelines:
    """`protocol.PipelineStore` over one table. Safe to share between threads and processes."""

    def __init__(self, table: str | DynamoTable) -> None:
        """Serve the table: its name, or a `DynamoTable` to share its connection."""
        self._table = DynamoTable(table) if isinstance(table, str) else table

    def put_pipeline(self, pipeline: Pipeline) -> bool:
        """Store a RECEIVED pipeline if its id is new; return whether it was. Two write units."""
        absent = PipelineItem.pk.does_not_exist()
        refused = self._table.put(
            "put_pipeline", Put(item=_pipeline_item(pipeline).serialize(), condition=absent)
        )
        if refused is None:
            return True
        met = _own(refused)
        mine = (pipeline.delivery, from_ms(to_ms(pipeline.received_at)))
        return met is not None and (met.delivery, met.received_at) == mine

    def get_pipeline(self, pipeline: str) -> Pipeline | None:
        """Return the pipeline, read consistently."""
        raw = self._table.get(_key(pipeline))
        return _parse(raw) if raw else None

    def list_pipelines(self, *, limit: int = 25, cursor: str | None = None) -> PipelinePage:
        """Return a page of 1 to 100, newest first. A malformed cursor raises `PayloadError`."""
        before = decode_cursor(cursor) if cursor else None
        most = max(1, min(limit, _MAX_PAGE))
        found = {
            order: pk
            for partition in (_OPEN, _ENDED)
            for pk, order in self._table.query(
                partition, limit=most + 1, before=before, newest_first=True
            )
        }
        orders = sorted(found, reverse=True)
        shown = orders[:most]
        records = map(_parse, self._table.get_many(Key(found[order]) for order in shown))
        by_pk = {_key(record.id).pk: record for record in records}
        return PipelinePage(
            pipelines=tuple(by_pk[found[order]] for order in shown if found[order] in by_pk),
            next=encode_cursor(shown[-1]) if len(orders) > most else None,
        )

    def open_pipelines(
        self, *, before: datetime, since: datetime | None = None, limit: int = 25
    ) -> Sequence[Pipeline]:
        """Return pipelines that have not ended, received between two times, oldest first."""
        found = self._table.query(
            _OPEN,
            limit=limit,
            since=sort_key(to_ms(since), "") if since else None,
            before=sort_key(to_ms(before), ""),
        )
        records = map(_parse, self._table.get_many(Key(pk) for pk, _ in found))
        there = [each for each in records if each.state is not PipelineState.ENDED]
        return sorted(there, key=lambda each: (each.received_at, each.id))

    def put_specs(self, pipeline: str, specs: Mapping[str, JobSpec]) -> None:
        """Store the spec of each job id. One write unit per compressed kilobyte.

        Raises:
            PayloadError: a spec is above 300 KB compressed. (To keep such ones in S3, this is the
                place; nothing else knows where specs are.)
        """
        now = self._table.clock.now()
        items = [spec_item(job, spec, pipeline=pipeline, now=now) for job, spec in specs.items()]
        for item in items:
            if len(item.packed) > _MAX_SPEC_BYTES:
                size_kib = len(item.packed) // 1024
                reason = f"a job's steps take {size_kib} KiB compressed; at most 300 can be stored"
                raise PayloadError(reason=reason, status=413)
        self._table.put_many("put_specs", [item.serialize() for item in items])

    def get_spec(self, job: str) -> JobSpec | None:
        """Return the spec of a job, read consistently."""
        raw = self._table.get(spec_key(job))
        return parse_spec(read(SpecItem, raw).packed) if raw else None

    def pipeline_of(self, job: str) -> str | None:
        """Return the id of the pipeline that planned the job, WAITING ones too."""
        raw = self._table.get(spec_key(job))
        return (read(SpecItem, raw).pipeline or None) if raw else None

    def mark_planned(self, pipeline: str, *, jobs: Sequence[JobRef], now: datetime) -> bool:
        """RECEIVED → PLANNED with these jobs; False if it was not RECEIVED. One write unit."""
        change = Change(
            key=_key(pipeline),
            actions=[
                PipelineItem.state.set(PipelineState.PLANNED.value),
                PipelineItem.planned_at.set(to_ms(now)),
                PipelineItem.jobs.set(_packed(jobs)),
            ],
            condition=PipelineItem.state == PipelineState.RECEIVED.value,
        )
        answer = self._table.update("mark_planned", change)
        if not isinstance(answer, Refused):
            return True
        met = _own(answer)
        mine = (PipelineState.PLANNED, from_ms(to_ms(now)))
        return met is not None and (met.state, met.planned_at) == mine

    def end_pipeline(
        self,
        pipeline: str,
        *,
        seen: PipelineState,
        outcome: Outcome,
        reason: str,
        now: datetime,
    ) -> bool:
        """RECEIVED or PLANNED → ENDED, if it is as seen. Three write units."""
        change = Change(
            key=_key(pipeline),
            actions=[
                PipelineItem.state.set(PipelineState.ENDED.value),
                PipelineItem.outcome.set(outcome.value),
                PipelineItem.reason.set(reason[:_MAX_REASON]),
                PipelineItem.ended_at.set(to_ms(now)),
                PipelineItem.partition.set(_ENDED),
                PipelineItem.ttl.set(ttl_of(now)),
            ],
            condition=(PipelineItem.state == seen.value)
            & (PipelineItem.state != PipelineState.ENDED.value),
        )
        answer = self._table.update("end_pipeline", change)
        if not isinstance(answer, Refused):
            return True
        met = _own(answer)
        mine = (outcome, from_ms(to_ms(now)), reason[:_MAX_REASON])
        return met is not None and (met.outcome, met.ended_at, met.reason) == mine


def _key(pipeline: str) -> Key:
    return Key(f"V#{pipeline}")


def _pipeline_item(pipeline: Pipeline) -> PipelineItem:
    received_ms = to_ms(pipeline.received_at)
    return PipelineItem(
        *_key(pipeline.id),
        partition=_OPEN,
        order=sort_key(received_ms, pipeline.id),
        tenant=pipeline.tenant,
        event=pipeline.event,
        source=asdict(pipeline.source),
        delivery=pipeline.delivery,
        received_at=received_ms,
        rerun=pipeline.rerun,
        only_job=pipeline.only_job,
        failed_of=pipeline.failed_of or None,
        state=PipelineState.RECEIVED.value,
    )


def _own(refused: Refused) -> Pipeline | None:
    """Return what a call met that may be its own work: its first try's answer was lost."""
    return _parse(refused.item) if refused.item and refused.repeated else None


def _parse(raw: Raw) -> Pipeline:
    item = read(PipelineItem, raw)
    return Pipeline(
        id=item.pk.partition("#")[2],
        tenant=item.tenant,
        event=item.event,
        source=_source(item.source),
        delivery=item.delivery,
        received_at=from_ms(int(item.received_at)),
        rerun=int(item.rerun),
        only_job=item.only_job,
        failed_of=item.failed_of or "",
        state=PipelineState(item.state),
        planned_at=from_ms(int(item.planned_at)) if item.planned_at else None,
        ended_at=from_ms(int(item.ended_at)) if item.ended_at else None,
        outcome=Outcome(item.outcome) if item.outcome else None,
        reason=item.reason or "",
        jobs=_unpacked(item.jobs or ()),
    )


def _packed(jobs: Sequence[JobRef]) -> list[list[Any]]:
    """`[id, name, places of its needs]` for each job: ids are long, and there may be hundreds."""
    places = {job.id: place for place, job in enumerate(jobs)}
    return [[job.id, job.name, [places[need] for need in job.needs]] for job in jobs]


def _unpacked(packed: Sequence[Sequence[Any]]) -> tuple[JobRef, ...]:
    return tuple(
        JobRef(
            id=job, name=name, needs=tuple(packed[place][0] for place in (more[0] if more else ()))
        )
        for job, name, *more in packed
    )


def _source(value: Mapping[str, str]) -> Source:
    # By our fields and not by what is stored: a newer release may have written more.
    return Source(**{each.name: value[each.name] for each in fields(Source) if each.name in value})
