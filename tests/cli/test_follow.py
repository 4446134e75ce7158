"""What a follower prints: each byte once, lines of several jobs apart, attempts and ends by name."""

import io
from collections.abc import Sequence
from typing import Any

import pytest

from chalicelib.cli.client import Chunk, Client, LogAnswer
from chalicelib.cli.follow import Follower, exit_status
from chalicelib.clock import ManualClock
from chalicelib.errors import StoreUnavailableError


def _job(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"j{number}",
        "name": f"job{number}",
        "state": "running",
        "outcome": None,
        "reason": "",
        "fence": 1,
        **changes,
    }


def _step(state: str, **changes: Any) -> dict[str, Any]:
    return {
        "index": 0,
        "name": "Tests",
        "state": state,
        "exit_status": None,
        "started_at_ms": 1000,
        "ended_at_ms": None if state == "running" else 2500,
        "detail": "",
        **changes,
    }


def _page(job: dict[str, Any], *data: bytes, ended: bool = False, **changes: Any) -> LogAnswer:
    facts: dict[str, Any] = {
        "fence": job["fence"],
        "job": job,
        "steps": (_step("succeeded" if ended else "running"),),
        "chunks": tuple(Chunk(step=0, data=each) for each in data),
        "cursor": "next",
        "more": False,
        "ended": ended,
        **changes,
    }
    return LogAnswer(**facts)


class Script(Client):
    """A client whose answers were written down before."""

    def __init__(
        self,
        pipelines: Sequence[dict[str, Any] | StoreUnavailableError],
        pages: dict[str, list[LogAnswer]],
    ) -> None:
        super().__init__("http://127.0.0.1:1", token="")
        self._pipelines = list(pipelines)
        self._pages = pages

    def pipeline(self, pipeline: str) -> dict[str, Any]:
        """Return the next pipeline; the last one for ever."""
        del pipeline
        answer = self._pipelines.pop(0) if len(self._pipelines) > 1 else self._pipelines[0]
        if isinstance(answer, StoreUnavailableError):
            raise answer
        return answer

    def log(self, job: str, *, cursor: str = "", fence: int | None = None) -> LogAnswer:
        """Return the job's next page; the last one for ever."""
        del cursor, fence
        pages = self._pages[job]
        return pages.pop(0) if len(pages) > 1 else pages[0]


def _shown(client: Client, *, colours: bool = False) -> bytes:
    out = io.BytesIO()
    Follower(client, out, clock=ManualClock(), colours=colours).follow("p")
    return out.getvalue()


def _ended(*jobs: dict[str, Any]) -> dict[str, Any]:
    return {"state": "ended", "outcome": "succeeded", "reason": "", "jobs": list(jobs)}


def test_one_jobs_output_is_printed_as_it_is() -> None:
    job = _job(1, outcome="succeeded")
    pages = {
        "j1": [
            _page(_job(1), b""),
            _page(_job(1), b"\x1b[32mok\xff"),
            _page(job, b"!\n", ended=True),
        ]
    }

    shown = _shown(Script([_ended(job)], pages))

    assert b"\x1b[32mok\xff!\n" in shown
    assert shown.startswith(b"\xe2\x96\xb8 Tests\n")
    assert "✓ Tests 1.5 s\n✓ job1 succeeded\n".encode() in shown


def test_lines_of_several_jobs_are_kept_whole_and_named() -> None:
    one, two = _job(1, outcome="succeeded"), _job(2, outcome="failed", reason="step 'Tests' exited")
    failed = (_step("failed", exit_status=3),)
    pages = {
        "j1": [_page(_job(1), b""), _page(_job(1), b"a"), _page(one, b"b\n", ended=True)],
        "j2": [_page(_job(2), b""), _page(_job(2), b"c\nd"), _page(two, ended=True, steps=failed)],
    }

    lines = _shown(Script([_ended(one, two)], pages)).decode().splitlines()

    assert "job1 │ ab" in lines
    assert lines.index("job2 │ c") < lines.index("job2 │ d")
    assert "job2 │ ✗ Tests 1.5 s, exit status 3" in lines
    assert "✗ job2 failed: step 'Tests' exited" in lines


def test_another_attempt_says_why_and_starts_its_log_anew() -> None:
    lost = _job(1)
    again = _job(1, fence=2, outcome="succeeded", reason="the supervisor died")
    pages = {
        "j1": [
            _page(lost, b""),
            _page(lost, b"first\n"),
            _page(again, b""),
            _page(again, b"second\n", ended=True),
        ]
    }

    shown = _shown(Script([_ended(again)], pages)).decode()

    assert "job1: attempt 2, because: the supervisor died\n" in shown
    assert shown.index("first") < shown.index("attempt 2") < shown.index("second")


def test_a_waiting_job_says_what_for_once() -> None:
    waiting = _job(1, state="pending", fence=0, waits_for="tenant 7 holds 8 of its 8 slots")
    running = {"state": "planned", "outcome": None, "reason": "", "jobs": [waiting]}
    done = _job(1, outcome="succeeded")
    pages = {"j1": [_page(_job(1), b""), _page(done, b"x\n", ended=True)]}

    shown = _shown(Script([running, running, _ended(done)], pages)).decode()

    assert shown.count("job1 is pending: tenant 7 holds 8 of its 8 slots") == 1


def test_a_wait_is_told_again_only_when_its_cause_changes() -> None:
    waits = [
        ("waiting", "needs build (ready)"),
        ("waiting", "needs build (running)"),
        ("ready", "pool default: 2 of 2 slots taken on 1 host; 3 ahead of it"),
        ("ready", "pool default: 2 of 2 slots taken on 1 host; it is next"),
        ("leased", "its container is being made on h1"),
    ]
    seen = [
        {**_ended(_job(1, state=state, fence=0, waits_for=told)), "state": "planned"}
        for state, told in waits
    ]
    cancelled = _job(1, state="done", fence=0, outcome="cancelled")

    lines = _shown(Script([*seen, _ended(cancelled)], {})).decode().splitlines()

    assert lines == [
        "job1 is waiting: needs build (ready)",
        "job1 is ready: pool default: 2 of 2 slots taken on 1 host; 3 ahead of it",
        "⊘ job1 cancelled",
    ]


def test_a_job_cancelled_before_it_ran_is_named_with_its_reason() -> None:
    job = _job(1, state="done", fence=0, outcome="cancelled", reason="cancelled")

    shown = _shown(Script([_ended(job)], {}))

    assert shown.decode() == "⊘ job1 cancelled: cancelled\n"


def test_an_api_that_is_away_for_a_while_is_waited_for() -> None:
    job = _job(1, outcome="succeeded")
    away = StoreUnavailableError(reason="no answer")
    pages = {"j1": [_page(job, b""), _page(job, b"x\n", ended=True)]}

    shown = _shown(Script([away, away, away, _ended(job)], pages)).decode()

    assert shown.count("waiting for the API") == 1
    assert "job1 succeeded" in shown


def test_an_api_that_stays_away_is_given_up() -> None:
    away = StoreUnavailableError(reason="no answer")

    with pytest.raises(StoreUnavailableError):
        _shown(Script([away], {}))


def test_colours_are_ours_only_when_asked_for() -> None:
    job = _job(1, outcome="succeeded")
    pages = {"j1": [_page(job, b""), _page(job, b"plain\n", ended=True)]}

    painted = _shown(Script([_ended(job)], pages), colours=True)

    assert "\x1b[1;32m✓ job1 succeeded\x1b[0m".encode() in painted


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("succeeded", 0),
        ("failed", 1),
        ("timed_out", 1),
        ("cancelled", 1),
        ("infrastructure", 2),
        (None, 1),
    ],
)
def test_the_exit_status_tells_a_failure_from_infrastructure(
    outcome: str | None, status: int
) -> None:
    assert exit_status(outcome) == status
