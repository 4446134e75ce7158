"""One DynamoDB table through pynamodb's connection: requests, retries, accounting, translation.

Rule of this file: it knows keys, conditions and error codes, and nothing of jobs. Retrying is done
here alone (botocore's is off), because botocore does not retry cancelled transactions, and because
waits and their jitter come from outside.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any, NamedTuple

from pynamodb.connection import Connection
from pynamodb.connection.base import MetaTable
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.clock import Clock, SystemClock
from chalicelib.errors import NotReadyError, StoreUnavailableError
from chalicelib.queue.dynamodb_errors import FOREIGN, Meaning, meaning, old_item, translate
from chalicelib.queue.dynamodb_versions import (
    ITEM_VERSION,
    VERSION_NAME,
    check_version,
    not_newer,
)
from chalicelib.wait import Backoff, Randomness, WaitPolicy, did_not_raise

__all__ = ["Change", "DynamoTable", "Key", "Put", "Raw", "Refused"]

Raw = Mapping[str, Any]
"""An item as DynamoDB sends it: attribute name → `{type: value}`."""

_CONNECT_TIMEOUT_S = 1.0
_READ_TIMEOUT_S = 2.0
_LOST_TRIES = 3
_CONTENDED_TRIES = 10
_GET_AT_ONCE = 100
_PUT_AT_ONCE = 25
_INDEX = "GSI1"
_CONDITION_OLD = "ALL_OLD"
_WRITES = frozenset({"PutItem", "UpdateItem", "TransactWriteItems", "BatchWriteItem"})


class Key(NamedTuple):
    """The primary key of an item."""

    pk: str
    sk: str = "S"


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Write a whole item, if the condition holds."""

    item: Raw
    condition: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Change an item, if the condition holds."""

    key: Key
    actions: Sequence[Action]
    condition: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A condition did not hold.

    Attributes:
        item: what the write met; empty when there was nothing.
        repeated: an earlier try of the same call had lost its answer, so that what was met may be
            this call's own work (protocol rule 1.4b).
    """

    item: Raw
    repeated: bool = False


class DynamoTable:
    """A table, its connection and its manners. Safe to share between threads."""

    def __init__(
        self,
        name: str,
        *,
        clock: Clock | None = None,
        random: Randomness | None = None,
        on_write_units: Callable[[str, float], None] | None = None,
        connection: Connection | None = None,
        version: int = ITEM_VERSION,
    ) -> None:
        """Connect to the table that the usual `AWS_*` environment leads to.

        Args:
            name: the table.
            clock: sleeps between tries; default: the machine's.
            random: spreads the tries; default: the system's.
            on_write_units: told (verb, units) after each write, index included; default: nobody,
                and then the answers do not carry them.
            connection: pynamodb's, not used for this table before; default: one of its own.
            version: schema version of the caller's release.
        """
        self.name = name
        self.clock = clock or SystemClock()
        self._random = random or secrets.SystemRandom()
        self._on_write_units = on_write_units
        self._transactions = count()
        self._version = version
        self._stamp = Path(VERSION_NAME).set(version)
        self._not_newer = not_newer(version)
        self._connection = connection or Connection(
            connect_timeout_seconds=_CONNECT_TIMEOUT_S,
            read_timeout_seconds=_READ_TIMEOUT_S,
            max_retry_attempts=0,
            max_pool_connections=20,
        )
        self._connection.add_meta_table(_meta_table(name))

    def get(self, key: Key) -> Raw | None:
        """Return the item, read consistently, or None."""
        answer = self._call("get", "GetItem", self._request(key, consistent_read=True))
        return self._readable(answer.get("Item") or {}) or None

    def get_many(self, keys: Iterable[Key]) -> Iterator[Raw]:
        """Yield those of the items that exist, read consistently, in any order."""
        # In the order of the keys: a set's differs from run to run, which no simulation can repeat.
        wanted = [_key_map(key) for key in sorted(set(keys))]
        for start in range(0, len(wanted), _GET_AT_ONCE):
            page = {"Keys": wanted[start : start + _GET_AT_ONCE], "ConsistentRead": True}
            for answer in self._batch("get", "BatchGetItem", page, "UnprocessedKeys"):
                yield from map(self._readable, answer["Responses"].get(self.name, []))

    def query(
        self,
        partition: str,
        *,
        limit: int,
        since: str | None = None,
        before: str | None = None,
        newest_first: bool = False,
    ) -> list[tuple[str, str]]:
        """Return up to `limit` pairs (pk, sort key) of an index partition.

        `since` is inclusive, `before` exclusive; given both, both are inclusive.

        The index may lag and show ghosts: a hint, never a right.
        """
        found: list[tuple[str, str]] = []
        request = _query_request(self.name, partition, since, before)
        request["ScanIndexForward"] = not newest_first
        while len(found) < limit:
            request["Limit"] = limit - len(found)
            answer = self._call("query", "Query", request)
            found += [(item["pk"]["S"], item["o"]["S"]) for item in answer.get("Items", ())]
            if not answer.get("LastEvaluatedKey"):
                break
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found

    def shuffled(self, numbers: Iterable[int]) -> list[int]:
        """Return the numbers in an order that differs from actor to actor."""
        return sorted(numbers, key=lambda _: self._random.uniform(0, 1))

    def put(self, verb: str, put: Put) -> Refused | None:
        """Write the item; None when it was, `Refused` when the condition did not hold."""
        try:
            self._call(verb, "PutItem", self._write_request(put))
        except _RefusedError as error:
            return error.refusals[0]
        return None

    def put_many(self, verb: str, items: Iterable[Raw]) -> None:
        """Write the items, unconditionally and not as one."""
        requests = [{"PutRequest": {"Item": self._stamped(item)}} for item in items]
        for start in range(0, len(requests), _PUT_AT_ONCE):
            page = requests[start : start + _PUT_AT_ONCE]
            self._batch(verb, "BatchWriteItem", page, "UnprocessedItems")

    def update(self, verb: str, change: Change, *, returning: str = "ALL_NEW") -> Raw | Refused:
        """Change the item and return it as `returning` says (ALL_NEW, UPDATED_OLD)."""
        request = self._write_request(change) | {"ReturnValues": returning}
        try:
            answer = self._call(verb, "UpdateItem", request)
        except _RefusedError as error:
            return error.refusals[0] or Refused(item={})
        attributes: Raw = answer.get("Attributes", {})
        return attributes

    def transact(self, verb: str, *writes: Put | Change) -> tuple[Refused | None, ...] | None:
        """Apply all the writes or none: None when applied, else the refusals by position.

        Each call has a token of its own, by which its own repeats are recognised. A hash of the body
        alone would do more harm than good: a tenant's limit that is changed and changed back within
        ten minutes is the same body again, and DynamoDB would answer it without writing.
        """
        items = [
            {"Put" if isinstance(write, Put) else "Update": self._write_request(write)}
            for write in writes
        ]
        request = self._with_capacity("TransactWriteItems", {"TransactItems": items})
        this_call = [next(self._transactions), self._random.uniform(0, 1), verb, request]
        token = hashlib.sha256(json.dumps(this_call).encode()).hexdigest()[:36]
        request["ClientRequestToken"] = token
        try:
            self._call(verb, "TransactWriteItems", request)
        except _RefusedError as error:
            return error.refusals
        return None

    def _request(self, where: Key, **more: Any) -> dict[str, Any]:
        return dict(self._connection.get_operation_kwargs(self.name, *where, **more))

    def _write_request(self, write: Put | Change) -> dict[str, Any]:
        allowed = self._not_newer
        more: dict[str, Any] = {
            "condition": allowed if write.condition is None else write.condition & allowed,
            "return_values_on_condition_failure": _CONDITION_OLD,
        }
        if isinstance(write, Change):
            return self._request(write.key, actions=[*write.actions, self._stamp], **more)
        where = Key(write.item["pk"]["S"], write.item["sk"]["S"])
        return self._request(where, key="Item", attributes=self._stamped(write.item), **more)

    def _stamped(self, item: Raw) -> Raw:
        return {**item, VERSION_NAME: {"N": str(self._version)}}

    def _readable(self, item: Raw) -> Raw:
        check_version(item, self._version)
        return item

    def _batch(
        self, verb: str, operation: str, page: Any, left_field: str
    ) -> Sequence[Mapping[str, Any]]:
        answers, left = [], page

        def nothing_is_left() -> bool:
            nonlocal left
            answer = self._call(verb, operation, {"RequestItems": {self.name: left}})
            answers.append(answer)
            left = (answer.get(left_field) or {}).get(self.name)
            return not left

        try:
            _ALL_ITEMS_DONE.wait(nothing_is_left, clock=self.clock, random=self._random)
        except NotReadyError as error:
            raise StoreUnavailableError(
                reason=f"{operation} on table {self.name}: items stay undone"
            ) from error
        return answers

    def _call(self, verb: str, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        tries = {Meaning.LOST: _LOST_TRIES, Meaning.CONTENDED: _CONTENDED_TRIES}
        repeated = False

        def send() -> Mapping[str, Any]:
            nonlocal repeated
            try:
                return self._connection.dispatch(operation, self._with_capacity(operation, request))
            except FOREIGN as error:
                meant = meaning(error)
                if meant is Meaning.REFUSED:
                    refusals = _refusals(error, repeated=repeated)
                    # What a newer release has written is not for this one to judge, let alone "lost".
                    for refused in filter(None, refusals):
                        check_version(refused.item, self._version)
                    raise _RefusedError(refusals) from error
                tries[meant] = tries.get(meant, 1) - 1
                if not tries[meant]:
                    raise translate(error, table=self.name, operation=operation) from error
                repeated = repeated or meant is Meaning.LOST
                raise _AgainError from error

        answer = _ANSWERED.wait(send, clock=self.clock, random=self._random)
        self._account(verb, answer)
        return answer

    def _with_capacity(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        counted = self._on_write_units is not None and operation in _WRITES
        return {**request, "ReturnConsumedCapacity": "INDEXES" if counted else "NONE"}

    def _account(self, verb: str, answer: Mapping[str, Any]) -> None:
        consumed = answer.get("ConsumedCapacity")
        if self._on_write_units is None or not consumed:
            return
        tables = consumed if isinstance(consumed, list) else [consumed]
        # A replayed transaction reports read units: it wrote nothing this time.
        units = sum(one["CapacityUnits"] for one in tables if not one.get("ReadCapacityUnits"))
        self._on_write_units(verb, units)


class _AgainError(Exception):
    """The call may be sent again. Never leaves this file."""


# "Full jitter": https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
_PAUSE = Backoff(first=timedelta(milliseconds=50), cap=timedelta(seconds=1), jitter=True)
_ALL_ITEMS_DONE = WaitPolicy(name="a batch that is done", sleep=_PAUSE, tries=_CONTENDED_TRIES)
# Without a limit of its own: the tries are counted apart, by what their errors mean.
_ANSWERED = WaitPolicy(
    name="an answer of DynamoDB",
    sleep=_PAUSE,
    tries=None,
    catch=_AgainError,
    success=did_not_raise,
)


class _RefusedError(Exception):
    """A condition did not hold: by position in the transaction. Never leaves this file."""

    def __init__(self, refusals: tuple[Refused | None, ...]) -> None:
        super().__init__("a condition did not hold")
        self.refusals = refusals


def _refusals(error: Exception, *, repeated: bool) -> tuple[Refused | None, ...]:
    reasons = getattr(error, "cancellation_reasons", None)
    if not reasons:
        return (Refused(item=old_item(error), repeated=repeated),)
    return tuple(
        Refused(item=reason.raw_item or {}, repeated=repeated)
        if reason is not None and reason.code == "ConditionalCheckFailed"
        else None
        for reason in reasons
    )


def _key_map(key: Key) -> dict[str, dict[str, str]]:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def _query_request(
    table: str, partition: str, since: str | None, before: str | None
) -> dict[str, Any]:
    condition, values = "q = :q", {":q": {"S": partition}}
    if since is not None and before is not None:
        condition += " AND o BETWEEN :since AND :before"  # one condition on a sort key is allowed
    elif since is not None:
        condition += " AND o >= :since"
    elif before is not None:
        condition += " AND o < :before"
    bounds = {":since": since, ":before": before}
    values |= {name: {"S": bound} for name, bound in bounds.items() if bound is not None}
    return {
        "TableName": table,
        "IndexName": _INDEX,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values,
    }


def _meta_table(name: str) -> MetaTable:
    # What DescribeTable would say of the keys; asking would cost every cold start a call.
    return MetaTable(
        {
            "TableName": name,
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
        }
    )
