"""The supervisor: takes an attempt directory, runs its steps, reports, removes the container.

The order at the end matters: the tenant's slot is freed by the result, so the container is gone
before the result is sent.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import IO

from chalicelib.supervisor.attempt import CHECKOUT, Attempt, load_attempt
from chalicelib.supervisor.checkout import commit_mirror
from chalicelib.supervisor.container import Container
from chalicelib.supervisor.faults import AttemptLostError, InfrastructureError
from chalicelib.supervisor.halt import Halt
from chalicelib.supervisor.journal import Journal
from chalicelib.supervisor.lxd import Lxd, LxdError
from chalicelib.supervisor.reporter import WIRE_VERSION, Heart, Listener, Reporter
from chalicelib.supervisor.spool import Spool
from chalicelib.supervisor.steps import now_ms, run_step
from chalicelib.supervisor.verdict import (
    INFRASTRUCTURE,
    RUNNING,
    Ending,
    Record,
    initial_records,
    interrupted,
    next_step,
    outcome,
    with_skipped,
)
from chalicelib.supervisor.wire import ControlPlane

__all__ = ["Supervisor", "main"]

_REMOVAL_TRIES = 3
_REMOVAL_PAUSE_S = 1.0
_LONGEST_REASON = 1000


class Supervisor:
    """One attempt, from its first step to its result."""

    def __init__(self, directory: Path, attempt: Attempt, journal: Journal) -> None:
        """Put the parts together; nothing runs yet. `directory` holds `ticket`, and is ours."""
        self._directory = directory
        self._attempt = attempt
        self._journal = journal
        self._state = directory / "state.json"
        self._halt = Halt(time_limit_s=attempt.time_limit_s)
        listener = Listener(cancelled=self._halt.cancel, lost=self._halt.lose)
        self._plane = self._connect()
        self._heart = Heart(self._connect(), listener, period_s=attempt.heartbeat_s)
        self._reporter = Reporter(self._plane, listener, directory=directory, journal=journal)
        self._spool = Spool(
            directory / "output",
            limit_bytes=attempt.log_limit_bytes,
            arrived=self._reporter.arrived,
        )
        self._lxd = Lxd(
            socket_path=attempt.lxd_socket,
            project=attempt.lxd_project,
            instance=attempt.container,
        )
        self._container = Container(attempt, self._lxd, self._spool, self._halt)
        self._records = initial_records(attempt.steps)

    def _connect(self) -> ControlPlane:
        return ControlPlane(
            api_url=self._attempt.api_url,
            attempt=f"{self._attempt.job}/{self._attempt.fence}",
            ticket=self._directory / "ticket",
            journal=self._journal,
            stopped=self._halt.lost,
        )

    def run(self) -> None:
        """Run the attempt to its end; returns with the attempt's directory gone.

        A supervisor that finds another one's state does not run steps again: it ends the attempt
        as infrastructure, and the control plane tries anew under the next fence.
        """
        signal.signal(signal.SIGTERM, self._terminate)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        self._heart.start()
        try:
            ending = self._resume() if self._state.exists() else self._begin()
        except Exception as error:  # noqa: BLE001 - the entrypoint: a bug of ours must still free the slot
            self._journal.write("bug", trouble=traceback.format_exc())
            ending = Ending(INFRASTRUCTURE, f"the supervisor failed: {error!r}"[:_LONGEST_REASON])
        self._conclude(ending)

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        self._halt.cancel()

    def _resume(self) -> Ending:
        ending = Ending(INFRASTRUCTURE, "supervisor was restarted")
        try:
            steps = json.loads(self._state.read_text(encoding="utf-8"))["steps"]
            self._records = tuple(Record.from_json(step) for step in steps)
            self._reporter.resume()
        except AttemptLostError as error:
            self._halt.lose(str(error))
        except (ValueError, KeyError, TypeError) as error:
            self._journal.write("state is unreadable", trouble=repr(error))
        self._reporter.start(self._spool)
        return ending

    def _begin(self) -> Ending | None:
        self._save()
        self._reporter.start(self._spool)
        try:
            self._fetch_ahead()
            self._container.prepare()
            self._run_steps()
        except (InfrastructureError, OSError) as error:
            self._journal.write("infrastructure", trouble=str(error))
            ending = Ending(INFRASTRUCTURE, str(error)[:_LONGEST_REASON])
            return self._halt.ending() or ending
        return self._halt.ending()

    def _fetch_ahead(self) -> None:
        """Fetch the commit while the container is prepared; the checkout finds it done, or waits."""
        if any(step.kind == CHECKOUT for step in self._attempt.steps):
            threading.Thread(target=self._fetch, name="fetch", daemon=True).start()

    def _fetch(self) -> None:
        try:
            commit_mirror(self._attempt, self._halt.stopped).bundle()
        except (InfrastructureError, OSError) as error:
            # The step itself tries again, and its failure is the one that counts.
            self._journal.write("fetch ahead failed", trouble=str(error))

    def _run_steps(self) -> None:
        while not self._halt.stopped():
            step = next_step(self._attempt.steps, self._records)
            self._update(with_skipped(self._records, before=step.index if step else None))
            if step is None:
                return
            record = replace(self._records[step.index], state=RUNNING, started_at_ms=now_ms())
            self._update_one(record)
            self._journal.write("step begins", step=step.index)
            record = run_step(self._attempt, self._container, step, record)
            self._update_one(record)
            self._journal.write(
                "step ended", step=step.index, state=record.state, status=record.exit_status
            )

    def _update_one(self, record: Record) -> None:
        records = list(self._records)
        records[record.index] = record
        self._update(records)

    def _update(self, records: Sequence[Record]) -> None:
        changed = [new for new, old in zip(records, self._records) if new != old]
        self._records = tuple(records)
        if changed:
            self._save()
        for record in changed:
            self._reporter.record(record)

    def _save(self) -> None:
        draft = self._state.with_suffix(".new")
        steps = [record.to_json() for record in self._records]
        draft.write_text(json.dumps({"steps": steps}), encoding="utf-8")
        draft.replace(self._state)

    def _conclude(self, ending: Ending | None) -> None:
        try:
            if ending is not None:
                self._update(interrupted(self._records, ending, now_ms=now_ms()))
        except OSError as error:  # a full disk must not keep the result from being sent
            self._journal.write("state is not saved", trouble=repr(error))
        removal = threading.Thread(target=self._remove_container, name="removal")
        removal.start()
        self._reporter.finish()
        removal.join()
        self._send_result(ending)
        self._heart.stop()
        self._clean_up()

    def _remove_container(self) -> None:
        for left in reversed(range(_REMOVAL_TRIES)):
            if self._try_removal():
                return
            time.sleep(_REMOVAL_PAUSE_S if left else 0)

    def _try_removal(self) -> bool:
        try:
            self._lxd.delete()
        except LxdError as error:
            self._journal.write("container stays", trouble=str(error))
            return False
        return True

    def _send_result(self, ending: Ending | None) -> None:
        if self._halt.lost.is_set():
            self._journal.write("attempt lost", reason=self._halt.lost_reason)
            return
        verdict, reason = outcome(self._records, ending)
        body = {
            "version": WIRE_VERSION,
            "outcome": verdict,
            "reason": reason,
            "steps": [record.to_json() for record in self._records],
        }
        try:
            answer = self._plane.call("PUT", "result", json.dumps(body).encode())
        except AttemptLostError as error:
            self._journal.write("attempt lost", reason=str(error))
        else:
            self._journal.write("result sent", outcome=verdict, status=answer.status)

    def _clean_up(self) -> None:
        state = self._directory.parent.parent
        try:
            self._journal.move_to(state / "logs" / f"{self._attempt.name}.log")
        except OSError as error:
            self._journal.write("log is not moved", trouble=repr(error))
        shutil.rmtree(self._directory, ignore_errors=True)


def _lock(directory: Path) -> IO[str] | None:
    """Return the attempt's lock, held as long as the file is open; None if another process has it."""
    try:
        file = (directory / "lock").open("w")
    except FileNotFoundError:
        return None  # the attempt is over and cleaned up
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def main(arguments: Sequence[str]) -> int:
    """Run the attempt whose directory is the one argument; return the process's exit status.

    0 also when another supervisor has the attempt, or it is over; 2 when `attempt.json` is not ours
    to read.
    """
    os.umask(0o077)
    # A cancel that comes before there is something to cancel waits until there is.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    directory = Path(arguments[1]).absolute()
    lock = _lock(directory)
    if lock is None:
        return 0
    with lock:
        (directory / "pid").write_text(f"{os.getpid()}\n", encoding="ascii")
        try:
            attempt = load_attempt(directory / "attempt.json")
        except (OSError, ValueError) as error:
            journal = Journal(directory / "supervisor.log", job=directory.name, fence=0)
            journal.write("attempt unreadable", trouble=str(error))
            return 2
        journal = Journal(directory / "supervisor.log", job=attempt.job, fence=attempt.fence)
        journal.write("begins", steps=len(attempt.steps))
        Supervisor(directory, attempt, journal).run()
    return 0
