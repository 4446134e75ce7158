"""Both forms of `wait_for`, so that each behaviour is shown of both."""

from typing import Any

import pytest

from chalicelib.wait import wait_for, wait_for_async
from tests.wait.script import RecordingClock, Script, Wait, finish


def _blocking(script: Script, clock: RecordingClock, **options: Any) -> Any:
    return wait_for(script, clock=clock, **options)


def _asynchronous(script: Script, clock: RecordingClock, **options: Any) -> Any:
    waiting = wait_for_async(script.awaited, clock=clock, sleeper=clock.sleep_async, **options)
    return finish(waiting)


@pytest.fixture(params=[_blocking, _asynchronous], ids=lambda wait: wait.__name__.strip("_"))
def wait(request: pytest.FixtureRequest) -> Wait:
    found: Wait = request.param
    return found


@pytest.fixture
def clock() -> RecordingClock:
    return RecordingClock()
