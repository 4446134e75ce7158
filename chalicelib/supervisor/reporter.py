"""Says what the attempt does: output and step records as they come, heartbeats beside them.

Two threads, each with its own connection: a report that is stuck must not silence the heartbeat.
A report is written to `report.json` before it is sent and repeated byte for byte until answered, so
that (step, offset) names the same bytes for ever, also across a restart of the supervisor.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.supervisor.faults import AttemptLostError
from chalicelib.supervisor.journal import Journal
from chalicelib.supervisor.spool import Spool
from chalicelib.supervisor.verdict import RUNNING, Record
from chalicelib.supervisor.wire import Answer, ControlPlane

__all__ = ["Heart", "Listener", "Reporter"]

WIRE_VERSION = 1
_CHUNK_BYTES = 256 * 1024  # MAX_CHUNK_BYTES of the other end
_MAX_CHUNKS = 8  # 2 MiB raw: even what does not compress stays far below Lambda's 6 MB
_BATCH_BYTES = 1 << 20
_BATCH_S = 0.5
_COALESCE_S = 0.02
_PACKING = 1  # zlib's fastest: the log waits for it


@dataclass(frozen=True)
class Listener:
    """Who is told what the control plane wants."""

    cancelled: Callable[[], None]
    lost: Callable[[str], None]


def _envelope(*, heartbeat: bool, steps: list[Any], output: list[Any]) -> bytes:
    body = {"version": WIRE_VERSION, "heartbeat": heartbeat, "steps": steps, "output": output}
    return json.dumps(body).encode()


class Heart:
    """Sends a heartbeat at once and then every `period_s`, until `stop`."""

    def __init__(self, plane: ControlPlane, listener: Listener, *, period_s: float) -> None:
        self._plane = plane
        self._listener = listener
        self._period_s = period_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating. Does not wait for a beat that is under way."""
        self._stopping.set()

    def _beat(self) -> None:
        body = _envelope(heartbeat=True, steps=[], output=[])
        while not self._stopping.is_set():
            try:
                answer = self._plane.call("POST", "report", body, until=self._stopping.is_set)
            except AttemptLostError as error:
                if not self._stopping.is_set():
                    self._listener.lost(str(error))
                return
            if answer.body.get("cancelling"):
                self._listener.cancelled()
            self._stopping.wait(self._period_s)
        self._plane.close()


class Reporter:
    """Sends the spool and the step records. The first output of a step goes out at once."""

    def __init__(
        self, plane: ControlPlane, listener: Listener, *, directory: Path, journal: Journal
    ) -> None:
        self._plane = plane
        self._listener = listener
        self._kept = directory / "report.json"
        self._journal = journal
        self._wake = threading.Condition()
        self._dirty: dict[int, Record] = {}
        self._sent: dict[int, int] = {}
        self._urgent = False
        self._closing = False
        self._spool: Spool | None = None
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self, spool: Spool) -> None:
        """Begin to send from that spool."""
        self._spool = spool
        self._thread.start()

    def arrived(self, step: int) -> None:
        """Note that a step has new output."""
        with self._wake:
            if step not in self._sent:
                self._sent[step] = 0
                self._urgent = True
            self._wake.notify()

    def record(self, record: Record) -> None:
        """Note the newest record of a step."""
        with self._wake:
            self._dirty[record.index] = record
            self._wake.notify()

    def finish(self) -> None:
        """Send all that is left and return when it is answered, or the attempt is lost."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def resume(self) -> None:
        """Take over from a supervisor that died: its last report is sent again, as it was."""
        try:
            kept = json.loads(self._kept.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        self._sent = {int(step): offset for step, offset in kept["offsets"].items()}
        self._deliver(kept["body"].encode())

    def _run(self) -> None:
        try:
            while self._wait_worth_sending():
                self._send_one()
        except AttemptLostError as error:
            self._listener.lost(str(error))
        except OSError as error:
            self._journal.write("reporter failed", trouble=repr(error))
            self._listener.lost(f"the spool cannot be read: {error!r}")
        finally:
            self._plane.close()

    def _wait_worth_sending(self) -> bool:
        """Block until a report is due; False when all is sent and the end has come."""
        last = time.monotonic()
        with self._wake:
            while True:
                if self._closing:
                    return self._waiting_bytes() > 0 or bool(self._dirty)
                if self._urgent:
                    break
                due_s = last + _BATCH_S - time.monotonic()
                waiting = self._waiting_bytes()
                if waiting >= _BATCH_BYTES or (due_s <= 0 and (waiting or self._dirty)):
                    return True
                self._wake.wait(due_s if due_s > 0 else None)
            self._urgent = False
        time.sleep(_COALESCE_S)
        return True

    def _waiting_bytes(self) -> int:
        sizes = self._store().sizes()
        return sum(sizes.values()) - sum(self._sent.get(step, 0) for step in sizes)

    def _store(self) -> Spool:
        if self._spool is None:
            msg = "start() comes first"
            raise RuntimeError(msg)
        return self._spool

    def _send_one(self) -> None:
        with self._wake:
            records, self._dirty = self._dirty, {}
            offsets = dict(self._sent)
        output = []
        for step, offset, data in self._chunks(offsets):
            packed = base64.b64encode(zlib.compress(data, _PACKING)).decode()
            output.append({"step": step, "offset": offset, "data": packed})
            offsets[step] = offset + len(data)
        records = self._hold_back(records, offsets)
        steps = [record.to_json() for _, record in sorted(records.items())]
        body = _envelope(heartbeat=False, steps=steps, output=output)
        self._keep(body, offsets)
        self._deliver(body)
        with self._wake:
            self._sent.update(offsets)

    def _hold_back(self, records: dict[int, Record], offsets: dict[int, int]) -> dict[int, Record]:
        """Return the records that may go out; the others wait for output that comes before them.

        A reader leaves a step once its record says that it ended, so that record must not arrive
        before the step's last byte; nor may the next step's.
        """
        behind = [
            step for step, size in self._store().sizes().items() if offsets.get(step, 0) < size
        ]
        first = min(behind, default=len(records) + max(records, default=0))
        held = {
            index: record
            for index, record in records.items()
            if index > first or (index == first and record.state != RUNNING)
        }
        with self._wake:
            self._dirty = {**held, **self._dirty}  # a newer record of the same step wins
        return {index: record for index, record in records.items() if index not in held}

    def _chunks(self, offsets: dict[int, int]) -> Iterator[tuple[int, int, bytes]]:
        store = self._store()
        count = 0
        for step, size in store.sizes().items():
            offset = offsets.get(step, 0)
            while offset < size and count < _MAX_CHUNKS:
                data = store.read(step, offset, min(_CHUNK_BYTES, size - offset))
                yield step, offset, data
                offset += len(data)
                count += 1

    def _keep(self, body: bytes, offsets: dict[int, int]) -> None:
        draft = self._kept.with_suffix(".new")
        text = json.dumps({"offsets": offsets, "body": body.decode()})
        try:
            draft.write_text(text, encoding="utf-8")
            draft.replace(self._kept)
        except OSError as error:  # a full disk: only a restart would miss it
            self._journal.write("report is not kept", trouble=repr(error))

    def _deliver(self, body: bytes) -> None:
        answer = self._plane.call("POST", "report", body)
        if answer.refused:
            self._note_refusal(answer)
        elif answer.body.get("cancelling"):
            self._listener.cancelled()

    def _note_refusal(self, answer: Answer) -> None:
        # A report that the other end cannot read is a bug of ours; the rest of the log still counts.
        self._journal.write("report refused", status=answer.status, answer=answer.body)
