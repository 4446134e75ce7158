"""The record of pipelines over DynamoDB, and the specs of their jobs.

A pipeline is in index partition U until all its jobs have been admitted, then in V for ever; a
listing merges both. Sort keys carry the time it was received and its id, so a page needs no more
than the last key shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime

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

_UNPLANNED = "U"
_PLANNED = "V"
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
            for partition in (_UNPLANNED, _PLANNED)
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

    def unplanned(self, *, before: datetime, limit: int = 25) -> Sequence[str]:
        """Return ids, oldest first, of pipelines RECEIVED before that time and not all admitted."""
        found = self._table.query(_UNPLANNED, limit=limit, before=sort_key(to_ms(before), ""))
        return [pk.partition("#")[2] for pk, _ in found]

    def put_specs(self, specs: Mapping[str, JobSpec]) -> None:
        """Store the spec of each job id. One write unit per compressed kilobyte.

        Raises:
            PayloadError: a spec is above 300 KB compressed. (To keep such ones in S3, this is the
                place; nothing else knows where specs are.)
        """
        items = [spec_item(job, spec, now=self._table.clock.now()) for job, spec in specs.items()]
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

    def mark_planned(self, pipeline: str, *, jobs: Sequence[JobRef], now: datetime) -> bool:
        """RECEIVED → PLANNED with these jobs; False if it was not RECEIVED. One write unit."""
        change = Change(
            key=_key(pipeline),
            actions=[
                PipelineItem.state.set(PipelineState.PLANNED.value),
                PipelineItem.planned_at.set(to_ms(now)),
                PipelineItem.jobs.set([[job.id, job.name] for job in jobs]),
            ],
            condition=PipelineItem.state == PipelineState.RECEIVED.value,
        )
        answer = self._table.update("mark_planned", change)
        if not isinstance(answer, Refused):
            return True
        met = _own(answer)
        mine = (PipelineState.PLANNED, from_ms(to_ms(now)))
        return met is not None and (met.state, met.planned_at) == mine

    def mark_admitted(self, pipeline: str) -> None:
        """Take a PLANNED pipeline out of `unplanned`. Three write units, one on a repeat."""
        change = Change(
            key=_key(pipeline),
            actions=[PipelineItem.partition.set(_PLANNED)],
            condition=PipelineItem.state == PipelineState.PLANNED.value,
        )
        self._table.update("mark_admitted", change)

    def end_pipeline(self, pipeline: str, *, outcome: Outcome, reason: str, now: datetime) -> bool:
        """→ ENDED unless it has ended; False if it had, or never was."""
        change = Change(
            key=_key(pipeline),
            actions=[
                PipelineItem.state.set(PipelineState.ENDED.value),
                PipelineItem.outcome.set(outcome.value),
                PipelineItem.reason.set(reason[:_MAX_REASON]),
                PipelineItem.ended_at.set(to_ms(now)),
                PipelineItem.partition.set(_PLANNED),
                PipelineItem.ttl.set(ttl_of(now)),
            ],
            condition=PipelineItem.state.is_in(
                PipelineState.RECEIVED.value, PipelineState.PLANNED.value
            ),
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
        partition=_UNPLANNED,
        order=sort_key(received_ms, pipeline.id),
        tenant=pipeline.tenant,
        event=pipeline.event,
        source=asdict(pipeline.source),
        delivery=pipeline.delivery,
        received_at=received_ms,
        rerun=pipeline.rerun,
        only_job=pipeline.only_job,
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
        state=PipelineState(item.state),
        planned_at=from_ms(int(item.planned_at)) if item.planned_at else None,
        ended_at=from_ms(int(item.ended_at)) if item.ended_at else None,
        outcome=Outcome(item.outcome) if item.outcome else None,
        reason=item.reason or "",
        jobs=tuple(JobRef(id=job, name=name) for job, name in item.jobs or ()),
    )


def _source(value: Mapping[str, str]) -> Source:
    # By our fields and not by what is stored: a newer release may have written more.
    return Source(**{each.name: value[each.name] for each in fields(Source) if each.name in value})
