"""A temporary emulator with the queue's table, the services over it, and what their calls cost.

Shared by the benchmarks of the queue. The emulator is a process of the benchmark's own, which keeps
nothing: the user's stack is not touched, and need not run.
"""

import os
import secrets
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError
from pynamodb.connection import Connection

from chalicelib.clock import SystemClock
from chalicelib.fleet.memory import MemoryHost, MemoryInstances
from chalicelib.github.memory import MemoryGithub
from chalicelib.github.protocol import Github
from chalicelib.keyring.memory import MemoryKeyring
from chalicelib.local.emulator import ACCOUNT, REGION, Emulator
from chalicelib.local.places import ROOT
from chalicelib.local.ports import free_port
from chalicelib.logs.memory import MemoryLogs
from chalicelib.model import Host
from chalicelib.queue.dynamodb import DynamoQueue
from chalicelib.queue.dynamodb_errors import FOREIGN, Meaning, meaning, old_item
from chalicelib.queue.dynamodb_pipelines import DynamoPipelines
from chalicelib.queue.dynamodb_table import DynamoTable
from chalicelib.queue.units import item_bytes, write_units
from chalicelib.sequencer.memory import MemorySequencer
from chalicelib.sequencer.protocol import Sequencer
from chalicelib.services.context import Berth, Policy

__all__ = [
    "Cost",
    "MeteredConnection",
    "berth_over",
    "cpu_s",
    "create_queue_table",
    "register_hosts",
    "temporary_emulator",
]

_CONNECTIONS = 32
_PATIENCE_S = 60.0
"""The emulator sorts an index partition anew for each query: with 100,000 entries that takes seconds,
which DynamoDB's own answers never do, so that the driver's two would be too short here."""
_WRITES = frozenset({"PutItem", "UpdateItem", "TransactWriteItems", "BatchWriteItem"})
_UNMETERED = frozenset({"CreateTable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What calls have cost.

    Attributes:
        requests: sent, repeats too.
        read: read units, as the emulator says.
        written: write units of what was written, as the emulator says.
        wasted: write units of writes that were refused, of which no answer tells (protocol trap T4):
            what each met, by this project's own accounting, and a kilobyte for what was not told.
        refused: writes whose condition did not hold.
        conflicts: writes that another one was in the way of, as the emulator says: it never does.
        overlaps: transactions sent while another one on an item of theirs was under way. DynamoDB
            would refuse most of these as conflicts (protocol trap T2), so it is what to expect at most.
    """

    requests: int = 0
    read: float = 0.0
    written: float = 0.0
    wasted: float = 0.0
    refused: int = 0
    conflicts: int = 0
    overlaps: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(**{name: getattr(self, name) + getattr(other, name) for name in _FIELDS})

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(**{name: getattr(self, name) - getattr(other, name) for name in _FIELDS})

    @property
    def units(self) -> float:
        """Read and write units together, wasted ones too."""
        return self.read + self.written + self.wasted


_FIELDS = tuple(Cost.__slots__)


class MeteredConnection(Connection):
    """pynamodb's connection to the emulator, adding up what its calls cost. Safe among threads."""

    def __init__(self, url: str) -> None:
        super().__init__(
            region=REGION,
            host=url,
            connect_timeout_seconds=_PATIENCE_S,
            read_timeout_seconds=_PATIENCE_S,
            max_retry_attempts=0,
            max_pool_connections=_CONNECTIONS,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="local",  # noqa: S106 - the emulator takes any
        )
        self._cost = Cost()
        self._counting = threading.Lock()
        self._under_way: Counter[str] = Counter()
        _ = self.client  # made here: botocore's making of clients is not safe among threads

    @property
    def cost(self) -> Cost:
        """What was consumed so far."""
        return self._cost

    def dispatch(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        """Make a call and count it."""
        asked = dict(operation_kwargs)
        if operation_name not in _UNMETERED:
            asked["ReturnConsumedCapacity"] = "INDEXES"
        try:
            with self._noting(_items_of(operation_name, asked)):
                answer: dict[str, Any] = super().dispatch(operation_name, asked)
        except FOREIGN as error:
            self._add(_cost_of_refusal(error))
            raise
        self._add(_cost_of_answer(operation_name, answer))
        if operation_kwargs.get("ReturnConsumedCapacity", "NONE") == "NONE":
            answer.pop("ConsumedCapacity", None)  # to the caller as if it had not been asked for
        return answer

    def _add(self, more: Cost) -> None:
        with self._counting:
            self._cost += more

    @contextmanager
    def _noting(self, items: Sequence[str]) -> Iterator[None]:
        with self._counting:
            if any(self._under_way[item] for item in items):
                self._cost += Cost(overlaps=1)
            self._under_way.update(items)
        try:
            yield
        finally:
            with self._counting:
                self._under_way.subtract(items)


@contextmanager
def temporary_emulator() -> Iterator[Emulator]:
    """Run an empty ministack that forgets everything, while the block runs."""
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as name:
        folder = Path(name)
        emulator = Emulator(
            python=ROOT / ".berth/ministack/bin/python",
            port=free_port(),
            folder=folder,
            log=folder / "emulator.log",
            persistent=False,
        )
        try:
            emulator.start()
            yield emulator
        finally:
            emulator.stop()


def cpu_s(emulator: Emulator) -> float:
    """Return the processor seconds of the emulator and this process so far.

    On a machine that does other things too they say more than the seconds that have passed.
    """
    stat = Path(f"/proc/{emulator.pid}/stat").read_text().rpartition(")")[2].split()
    user, system = stat[11:13]  # proc(5): utime and stime
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK") + time.process_time()


def create_queue_table(connection: Connection, name: str) -> str:
    """Create a table as `cloudformation/data.yaml` declares it; return its name."""
    template = yaml.safe_load((ROOT / "cloudformation/data.yaml").read_text())
    declared = template["Resources"]["QueueTable"]["Properties"]
    taken = ("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema")
    connection.dispatch("CreateTable", {"TableName": name, **{key: declared[key] for key in taken}})
    return name


def berth_over(
    table: DynamoTable,
    *,
    tenant_limit: int,
    sequencer: Sequencer | None = None,
    github: Github | None = None,
) -> Berth:
    """Return the services' drivers over the table. All but queue and pipelines are in memory."""
    host = MemoryHost()
    return Berth(
        queue=DynamoQueue(table, default_limit=tenant_limit),
        pipelines=DynamoPipelines(table),
        logs=MemoryLogs(),
        github=github or MemoryGithub(),
        sequencer=sequencer or MemorySequencer(),
        keyring=MemoryKeyring(),
        host=lambda _: host,
        instances=MemoryInstances(),
        clock=SystemClock(),
        nonce=lambda: secrets.token_hex(8),
        policy=Policy(claim_lease=timedelta(hours=1)),
    )


def register_hosts(berth: Berth, *, pool: str, hosts: int, slots: int) -> None:
    """Give the pool so many hosts, or the hosts so many slots."""
    for number in range(hosts):
        berth.queue.register_host(
            Host(id=f"{pool}-{number}", pool=pool, slots=slots, generation="generation-1")
        )


def _items_of(operation: str, request: Mapping[str, Any]) -> Sequence[str]:
    """Return the partition keys of the queue's items that a transaction writes."""
    if operation != "TransactWriteItems":
        return ()
    writes = [write for each in request["TransactItems"] for write in each.values()]
    keys = [write.get("Key") or write["Item"] for write in writes]
    return [key["pk"]["S"] for key in keys if "pk" in key]


def _cost_of_answer(operation: str, answer: Mapping[str, Any]) -> Cost:
    consumed = answer.get("ConsumedCapacity") or []
    tables = consumed if isinstance(consumed, list) else [consumed]
    units = sum(each["CapacityUnits"] for each in tables)
    # A transaction that is replayed reports read units: it wrote nothing this time.
    replayed = any(each.get("ReadCapacityUnits") for each in tables)
    if operation in _WRITES and not replayed:
        return Cost(requests=1, written=units)
    return Cost(requests=1, read=units)


def _cost_of_refusal(error: Exception) -> Cost:
    found = Cost(requests=1)
    match meaning(error):
        case Meaning.REFUSED:
            found = replace(found, refused=1)
        case Meaning.CONTENDED:
            found = replace(found, conflicts=1)
        case _:
            return found
    reasons = getattr(error, "cancellation_reasons", None)
    if not isinstance(error, ClientError) or not reasons:
        return replace(found, wasted=float(write_units(item_bytes(old_item(error)), 0)))
    met = [(reason.raw_item or {}) if reason else {} for reason in reasons]
    # A transaction writes everything twice, and so does one that is cancelled.
    return replace(found, wasted=float(sum(2 * write_units(item_bytes(item), 0) for item in met)))
