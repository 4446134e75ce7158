"""Runs one step to its record, whatever happens in it."""

from __future__ import annotations

import time
from dataclasses import replace

from chalicelib.supervisor.attempt import CHECKOUT, Attempt, Step, container_path
from chalicelib.supervisor.checkout import Checkout
from chalicelib.supervisor.container import Command, Container
from chalicelib.supervisor.environment import step_environment
from chalicelib.supervisor.execution import Ended
from chalicelib.supervisor.faults import InfrastructureError, StepRefusedError
from chalicelib.supervisor.verdict import (
    FAILED,
    RUNNING,
    SUCCEEDED,
    TIMED_OUT,
    Record,
    duration_text,
    known_status,
)

__all__ = ["now_ms", "run_step"]


def now_ms() -> int:
    """Return Unix milliseconds by the host's clock."""
    return int(time.time() * 1000)


def run_step(attempt: Attempt, container: Container, step: Step, record: Record) -> Record:
    """Return the record of a step after it ran; RUNNING still, if the attempt halted under it.

    Raises:
        InfrastructureError: the machinery failed. The step's log says so as well.
    """
    try:
        ended = _run(attempt, container, step)
    except StepRefusedError as refusal:
        container.spool.note(step.index, str(refusal))
        return replace(record, state=FAILED, detail=str(refusal), ended_at_ms=now_ms())
    except InfrastructureError as trouble:
        if not container.halt.stopped():
            container.spool.note(step.index, f"infrastructure failure: {trouble}")
        raise
    return _ended(container, step, record, ended)


def _run(attempt: Attempt, container: Container, step: Step) -> Ended:
    if step.kind == CHECKOUT:
        return Checkout(attempt, container, step).run()
    cwd = container_path(step.working_directory, home=attempt.home, base=attempt.workspace)
    container.require_directory(cwd)
    arguments = container.put_script(step.index, step.command)
    return container.run(
        Command(
            step=step.index,
            arguments=arguments,
            environment=step_environment(attempt, step),
            cwd=cwd,
            silence_limit_s=step.no_output_timeout_s,
        )
    )


def _ended(container: Container, step: Step, record: Record, ended: Ended) -> Record:
    status = known_status(ended.status)
    done = replace(record, exit_status=status, ended_at_ms=now_ms())
    if ended.silent:
        detail = f"no output for {duration_text(step.no_output_timeout_s)}"
        container.spool.note(step.index, f"{detail}: stopped")
        return replace(done, state=TIMED_OUT, detail=detail)
    if ended.status is None:
        if container.halt.stopped():
            return replace(record, state=RUNNING)
        msg = f"LXD never said how step {step.name!r} ended"
        raise InfrastructureError(msg)
    if ended.status == 0:
        return replace(done, state=SUCCEEDED)
    return replace(done, state=FAILED, detail=f"exited with {ended.status}")
