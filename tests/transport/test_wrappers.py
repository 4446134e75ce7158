"""What each wrapper adds to a transport; that they hold on every driver is in the contract."""

import os
import random
from datetime import timedelta

import pytest

from chalicelib.clock import ManualClock
from chalicelib.errors import (
    CommandFailedError,
    ConnectionLostError,
    HostUnreachableError,
    ShellError,
)
from chalicelib.shell import Secret, exit_, print_text, q, script
from chalicelib.transport import (
    AsUser,
    Call,
    DryRun,
    Fenced,
    InFolder,
    LocalTransport,
    Result,
    Retrying,
    Sudo,
    Trace,
    Traced,
    Transport,
    WithEnvironment,
)
from chalicelib.wait import Backoff, WaitPolicy, did_not_raise

_AGAIN = WaitPolicy(
    name="a connection",
    sleep=Backoff(first=timedelta(seconds=1), cap=timedelta(seconds=8), jitter=True),
    tries=3,
    catch=HostUnreachableError,
    success=did_not_raise,
)


class _Flaky(Transport):
    """This machine, of which some calls are lost after they were run."""

    def __init__(self, losses: int) -> None:
        self.host, self.facts = "flaky", frozenset[str]()
        self._losses, self._inner = losses, LocalTransport()
        self.calls = 0

    def execute(self, call: Call) -> Result:
        self.calls += 1
        result = self._inner.execute(call)
        if self.calls <= self._losses:
            raise ConnectionLostError(host=self.host, reason="cut", may_have_run=True)
        return result


def test_a_retried_call_gets_its_input_again() -> None:
    flaky, clock = _Flaky(losses=2), ManualClock()
    started = clock.now()

    retrying = Retrying(flaky, _AGAIN, clock=clock, random=random.Random(1))  # noqa: S311
    result = retrying.run("cat", stdin=iter([b"in", b"put"]))

    assert result.stdout == b"input"
    assert flaky.calls == 3
    assert clock.now() > started


def test_a_retry_gives_up_with_the_last_error() -> None:
    flaky = _Flaky(losses=9)

    with pytest.raises(ConnectionLostError, match="cut"):
        Retrying(flaky, _AGAIN, clock=ManualClock(), random=random.Random(1)).run("true")  # noqa: S311

    assert flaky.calls == 3


def test_what_the_policy_does_not_catch_is_not_tried_again() -> None:
    flaky = _Flaky(losses=0)

    with pytest.raises(CommandFailedError):
        Retrying(flaky, _AGAIN, clock=ManualClock(), random=random.Random(1)).run("false")  # noqa: S311

    assert flaky.calls == 1


def test_a_traced_call_is_told_of_before_and_after() -> None:
    told: list[Trace] = []
    traced = Traced(LocalTransport(), told.append, clock=ManualClock())

    traced.run(print_text(Secret("sword" + "fish")))

    assert [each.exit_status for each in told] == [None, 0]
    assert told[1].elapsed is not None
    assert "***" in told[0].command
    assert "swordfish" not in repr(told)


def test_a_traced_failure_is_told_with_its_error() -> None:
    told: list[Trace] = []

    with pytest.raises(CommandFailedError):
        Traced(LocalTransport(), told.append, clock=ManualClock()).run(exit_(3))

    assert told[1].exit_status == 3
    assert isinstance(told[1].error, CommandFailedError)


def test_a_dry_run_tells_and_does_nothing(tmp_path: object) -> None:
    told: list[str] = []
    dry = DryRun(LocalTransport(), told.append)

    result = dry.run(q("touch {path} {secret}", path=f"{tmp_path}/made", secret=Secret("x")))

    assert result.ok
    assert told == [f"touch {tmp_path}/made '***'"]
    assert LocalTransport().run(q("ls {path}", path=str(tmp_path))).lines == []


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
def test_wrappers_nest_from_the_outside_in() -> None:
    here = LocalTransport()
    nested = InFolder(AsUser(Sudo(here, "root"), "nobody"), "/usr")

    assert nested.run(script("id -un", "pwd")).lines == ["nobody", "/usr"]


def test_a_folder_that_cannot_be_entered_is_said() -> None:
    with pytest.raises(CommandFailedError, match="nowhere"):
        InFolder(LocalTransport(), "/nowhere").run("true")


def test_an_environment_is_added_to() -> None:
    wrapped = WithEnvironment(LocalTransport(environment={"A": "a", "PATH": "/bin"}), {"B": "b c"})

    assert wrapped.run("env").lines[:-1] != []
    assert {"A=a", "B=b c"} <= set(wrapped.run("env").lines)


@pytest.mark.parametrize("user", ["", "-x", "a b", "a;b", "a/b", "x" * 40])
def test_what_is_no_user_is_refused(user: str) -> None:
    with pytest.raises(ShellError):
        Sudo(LocalTransport(), user)
    with pytest.raises(ShellError):
        AsUser(LocalTransport(), user)


@pytest.mark.parametrize(("key", "fence"), [("", 1), ("a/b", 1), ("..", 1), ("a", -1)])
def test_what_is_no_fence_is_refused(key: str, fence: int) -> None:
    with pytest.raises(ShellError):
        Fenced(LocalTransport(), key=key, fence=fence, folder="/nowhere")
