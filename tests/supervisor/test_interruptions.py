"""What comes from outside while steps run: cancels, a lost fence, an absent control plane, kills."""

import signal
import time
from pathlib import Path

import pytest

from chalicelib.model import Outcome, RunStep, StepState
from tests.supervisor.conftest import Rig

_FOREVER = RunStep(name="forever", command="echo begun; sleep 600")
_ESCAPES = RunStep(
    name="escapes",
    command="(trap '' TERM HUP; setsid sh -c 'trap \"\" TERM; while :; do sleep 7; done' &); "
    "echo begun; sleep 600",
)


def _begin(rig: Rig) -> None:
    rig.plane.wait_until(lambda: rig.plane.chunks.get((0, 0)) == b"begun\n")


@pytest.mark.parametrize("step", [_FOREVER, _ESCAPES], ids=["plain", "double fork"])
def test_a_signal_cancels_and_leaves_no_process(tree_rig: Rig, step: RunStep) -> None:
    rig = tree_rig
    rig.write(step)
    supervisor = rig.start()
    _begin(rig)

    supervisor.send_signal(signal.SIGTERM)
    rig.wait(supervisor, timeout_s=10)

    assert rig.plane.result is not None
    assert rig.plane.result.outcome is Outcome.CANCELLED
    assert rig.plane.result.steps[0].state is StepState.CANCELLED
    assert rig.lxd.pids() == []
    assert rig.plane.events == ["stopped", "deleted", "result"]


def test_an_answer_cancels(rig: Rig) -> None:
    rig.write(_FOREVER, heartbeat_s=0.1)
    supervisor = rig.start()
    _begin(rig)

    rig.plane.cancelling = True
    rig.wait(supervisor, timeout_s=10)

    assert rig.plane.result is not None
    assert rig.plane.result.outcome is Outcome.CANCELLED


def test_an_interrupt_from_a_terminal_is_ignored(rig: Rig) -> None:
    rig.write(RunStep(name="short", command="echo begun; sleep 0.5"))
    supervisor = rig.start()
    _begin(rig)

    supervisor.send_signal(signal.SIGINT)
    rig.wait(supervisor)

    assert rig.plane.result is not None
    assert rig.plane.result.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("status", [401, 403, 404, 409, 410])
def test_a_lost_fence_ends_everything_without_a_result(rig: Rig, status: int) -> None:
    rig.write(_FOREVER, heartbeat_s=0.1)
    supervisor = rig.start()
    _begin(rig)

    rig.plane.trouble = lambda _number, _body: status
    rig.wait(supervisor, timeout_s=10)

    assert rig.plane.result is None
    assert rig.plane.events == ["stopped", "deleted"]
    assert not rig.directory.exists()


def test_a_control_plane_that_is_away_loses_nothing_and_holds_nothing(rig: Rig) -> None:
    done = rig.tmp_path / "done"
    rig.write(RunStep(name="work", command=f"echo begun; seq 50000; touch {done}"))
    rig.plane.away.set()
    supervisor = rig.start()
    deadline = time.monotonic() + 15
    while not done.exists():
        assert time.monotonic() < deadline
        assert supervisor.poll() is None

    rig.plane.away.clear()
    rig.wait(supervisor)

    assert rig.output() == "begun\n" + "".join(f"{number}\n" for number in range(1, 50_001))
    assert rig.plane.faults == []


def test_a_replaced_ticket_is_used(rig: Rig) -> None:
    rig.write(_FOREVER, heartbeat_s=0.1)
    rig.plane.trouble = lambda _number, _body: 503
    supervisor = rig.start()
    rig.plane.wait_until(lambda: rig.plane.requests > 1)

    with rig.plane.changed:
        (rig.directory / "ticket").write_text("the next ticket")
        rig.plane.ticket = "the next ticket"
        rig.plane.faults.clear()
        rig.plane.trouble = None
    _begin(rig)
    supervisor.send_signal(signal.SIGTERM)
    rig.wait(supervisor)

    assert rig.plane.result is not None


def test_heartbeats_go_on_while_a_report_is_stuck(rig: Rig) -> None:
    rig.write(_FOREVER, heartbeat_s=0.1)
    stuck = [True]
    rig.plane.trouble = lambda _number, body: (
        503 if stuck[0] and b'"heartbeat": false' in body else 200
    )
    supervisor = rig.start()

    rig.plane.wait_until(lambda: len(rig.plane.reports) >= 5)
    assert all(report.heartbeat for report in rig.plane.reports)
    stuck[0] = False
    supervisor.send_signal(signal.SIGTERM)
    rig.wait(supervisor)

    assert rig.output() == "begun\n"


def test_a_refused_report_does_not_stop_the_rest(rig: Rig) -> None:
    rig.plane.trouble = lambda _number, body: 413 if b'"offset": 0' in body else 200

    rig.write(RunStep(name="one", command="echo one"), RunStep(name="two", command="echo two"))
    rig.wait(rig.start())

    assert rig.plane.result is not None
    assert rig.plane.result.outcome is Outcome.SUCCEEDED
    assert any(line["event"] == "report refused" for line in rig.log())


def test_a_second_supervisor_leaves_at_once(rig: Rig) -> None:
    rig.write(_FOREVER)
    first = rig.start()
    _begin(rig)

    second = rig.start()
    rig.wait(second, timeout_s=10)

    assert first.poll() is None
    first.send_signal(signal.SIGTERM)
    rig.wait(first)
    assert rig.output() == "begun\n"


def test_a_supervisor_for_an_attempt_that_is_over_leaves_at_once(rig: Rig) -> None:
    rig.wait(rig.start(), timeout_s=10)

    assert rig.plane.requests == 0


def test_a_restarted_supervisor_runs_nothing_again_and_loses_no_output(rig: Rig) -> None:
    rig.write(RunStep(name="once", command="echo begun; echo x >> ../runs; sleep 600"))
    first = rig.start()
    _begin(rig)
    first.kill()
    first.wait()

    rig.wait(rig.start())

    assert rig.plane.result is not None
    assert rig.plane.result.outcome is Outcome.INFRASTRUCTURE
    assert rig.plane.result.reason == "supervisor was restarted"
    assert rig.plane.result.steps[0].state is StepState.CANCELLED
    assert (rig.home / "runs").read_text() == "x\n"
    assert rig.output() == "begun\n"
    assert rig.plane.faults == []


def test_a_killed_supervisor_takes_its_command_with_it(tree_rig: Rig) -> None:
    rig = tree_rig
    rig.write(_FOREVER)
    supervisor = rig.start()
    _begin(rig)
    (main,) = (pid for pid in rig.lxd.pids() if _words(pid)[:1] == ["/bin/bash"])

    supervisor.kill()

    deadline = time.monotonic() + 10
    while main in rig.lxd.pids():
        assert time.monotonic() < deadline


def _words(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def test_an_unreadable_order_is_refused(rig: Rig) -> None:
    rig.directory.mkdir(parents=True)
    (rig.directory / "attempt.json").write_text('{"version": 99}')

    supervisor = rig.start()
    supervisor.communicate(timeout=10)

    assert supervisor.returncode == 2
    assert "version 99" in (rig.directory / "supervisor.log").read_text()


def test_a_fault_of_our_own_still_frees_the_slot(rig: Rig) -> None:
    rig.write(RunStep(name="never", command="true"))
    (rig.directory / "state.json").mkdir()

    rig.wait(rig.start())

    assert rig.plane.result is not None
    assert rig.plane.result.outcome is Outcome.INFRASTRUCTURE
    assert rig.plane.result.reason.startswith("the supervisor failed: ")
    assert rig.plane.events == ["stopped", "deleted", "result"]
