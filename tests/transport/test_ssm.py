"""The SSM driver, against a stand-in that answers at the wire and really runs what is sent."""

import json
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.clock import ManualClock
from chalicelib.errors import (
    AuthenticationError,
    CommandCancelledError,
    CommandTimeoutError,
    ConnectionLostError,
    HostUnreachableError,
    TransportSettingError,
)
from chalicelib.shell import (
    Secret,
    append_to,
    command,
    duplicate,
    exit_,
    println,
    q,
    redirect,
    ref,
    script,
)
from chalicelib.transport.protocol import Chunk
from chalicelib.wait import WaitPolicy
from tests.transport.ssm_site import SsmSite, ssm_site

_FEW_S = timedelta(seconds=0.5)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SsmSite]:
    """A host without a bucket."""
    with ssm_site(tmp_path, aws=None) as running:
        yield running


def _noted(site: SsmSite) -> list[str]:
    """What commands have added to the file `noted` in the host's home."""
    path = site.folder / "home" / "noted"
    return path.read_text().splitlines() if path.exists() else []


_NOTE = redirect(println("ran"), append_to("noted"))


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_status_and_output_come_back_as_they_were(site: SsmSite) -> None:
    """The agent's own words, "failed to run commands", are not among the errors."""
    said = script(println("out"), redirect(println("err"), duplicate(1, 2)), exit_(255))

    result = site.transport().run(said, check=False)

    assert (result.exit_status, result.stdout, result.stderr) == (255, b"out\n", b"err\n")
    assert result.host == "i-0123456789abcdef0"


def test_a_signal_is_128_and_more(site: SsmSite) -> None:
    result = site.transport().run("sh -c 'kill -9 $$'", check=False)

    assert result.exit_status == 137


def test_bytes_that_are_no_text_stay_as_they_are(site: SsmSite) -> None:
    content = bytes(range(256)) * 8

    result = site.transport().run("cat", stdin=content)

    assert result.stdout == content


def test_output_comes_in_the_order_of_its_streams(site: SsmSite) -> None:
    chunks: list[Chunk] = []

    site.transport().run(
        script(redirect(println("err"), duplicate(1, 2)), println("out")), on_output=chunks.append
    )

    assert chunks == [Chunk("stdout", b"out\n"), Chunk("stderr", b"err\n")]


def test_requests_that_are_throttled_or_fail_are_repeated(site: SsmSite) -> None:
    site.server.faults.throttled = 3
    site.server.faults.broken = 1

    site.transport().run(_NOTE)

    assert _noted(site) == ["ran"]
    assert site.server.count("SendCommand") == 5


def test_throttling_without_end_is_an_unreachable_host(site: SsmSite) -> None:
    site.server.faults.throttled = 100

    with pytest.raises(HostUnreachableError, match="Rate exceeded"):
        site.transport(clock=ManualClock()).run(_NOTE)

    assert _noted(site) == []


def test_a_command_whose_answer_was_lost_runs_once(site: SsmSite) -> None:
    """SendCommand has no client token: what is sent again is told by its token on the host."""
    site.server.faults.dropped = 2

    result = site.transport().run(script(_NOTE, println("done"), exit_(4)), check=False)

    assert (result.exit_status, result.stdout) == (4, b"done\n")
    assert site.server.count("SendCommand") == 3
    assert _noted(site) == ["ran"]


def test_a_command_that_is_delivered_twice_at_once_runs_once(site: SsmSite) -> None:
    site.server.faults.copies = 2

    results = [site.transport().run(script(_NOTE, println(str(each)))) for each in range(5)]

    assert [result.stdout for result in results] == [b"0\n", b"1\n", b"2\n", b"3\n", b"4\n"]
    assert _noted(site) == ["ran"] * 5


def test_an_answer_that_is_lost_for_good_may_have_run(site: SsmSite) -> None:
    site.server.faults.dropped = 100

    with pytest.raises(ConnectionLostError) as caught:
        site.transport().run(_NOTE)

    assert caught.value.may_have_run


def test_a_command_that_does_not_arrive_is_taken_back(site: SsmSite) -> None:
    site.server.faults.delivered = False

    with pytest.raises(HostUnreachableError, match="not delivered: Cancelled") as caught:
        site.transport(clock=ManualClock(), delivery=_FEW_S).run(_NOTE)

    assert not isinstance(caught.value, ConnectionLostError)
    assert site.server.count("CancelCommand") == 1


@pytest.mark.parametrize("details", ["DeliveryTimedOut", "Delivery Timed Out", "Undeliverable"])
def test_a_delivery_time_out_is_an_unreachable_host(site: SsmSite, details: str) -> None:
    site.server.faults.delivered = False
    site.server.faults.expired = details

    with pytest.raises(HostUnreachableError, match="not delivered") as caught:
        site.transport().run(_NOTE)

    assert not isinstance(caught.value, ConnectionLostError)


def test_the_agents_time_out_ends_the_whole_tree(site: SsmSite) -> None:
    """It kills its script only: the command is in a session of its own."""
    site.server.faults.killed = 1

    with pytest.raises(ConnectionLostError, match="ExecutionTimedOut"):
        site.transport().run(command("sh", "-c", "echo $$ >>noted; exec sleep 100"))

    assert [pid for pid in _noted(site) if _alive(int(pid))] == []


def test_a_time_out_ends_the_whole_tree_and_tells_what_was_printed(site: SsmSite) -> None:
    left = command("setsid", "sh", "-c", "echo $$ >>noted; exec sleep 100")
    tree = script(command("sh", "-c", "setsid sleep 100 & echo $! >>noted"), println("begun"), left)

    with pytest.raises(CommandTimeoutError) as caught:
        site.transport().run(tree, timeout_s=2)

    assert caught.value.stdout == b"begun\n"
    pids = [int(each) for each in _noted(site)]
    assert [_alive(pid) for pid in pids] == [False, False]


def test_a_cancelled_run_is_ended(site: SsmSite) -> None:
    cancel = threading.Event()
    fifo = site.folder / "home" / "noted"
    os.mkfifo(fifo)
    pids: list[int] = []

    def cancel_when_begun() -> None:
        pids.append(int(fifo.read_text()))
        cancel.set()

    threading.Thread(target=cancel_when_begun, daemon=True).start()

    with pytest.raises(CommandCancelledError):
        site.transport().run(command("sh", "-c", "echo $$ >noted; exec sleep 100"), cancel=cancel)

    assert [_alive(pid) for pid in pids] == [False]
    assert site.server.count("CancelCommand") == 1


def test_a_run_that_is_over_before_it_is_sent_is_not_sent(site: SsmSite) -> None:
    cancel = threading.Event()
    cancel.set()

    with pytest.raises(CommandCancelledError):
        site.transport().run(_NOTE, cancel=cancel)

    assert site.server.requests == []


def test_a_host_that_falls_silent_may_have_run_it(site: SsmSite) -> None:
    site.server.faults.silent = True

    with pytest.raises(ConnectionLostError, match="may go on") as caught:
        site.transport(ending=_FEW_S).run("true", timeout_s=0.5)

    assert caught.value.may_have_run


def test_a_delivery_time_out_after_the_start_may_have_run(site: SsmSite) -> None:
    """When a command expires, SSM says so of those in progress, too."""
    site.server.faults.silent = True
    site.server.faults.expired = "DeliveryTimedOut"

    with pytest.raises(ConnectionLostError) as caught:
        site.transport().run(_NOTE)

    assert caught.value.may_have_run
    assert site.server.count("SendCommand") == 2  # the second one ended what there was


def test_a_command_that_arrives_at_the_last_moment_has_run(site: SsmSite) -> None:
    """It is found pending until it is taken back, and then that has come too late."""
    site.server.faults.pending = 1_000_000

    result = site.transport(delivery=2 * _FEW_S).run(script(_NOTE, println("done")))

    assert result.stdout == b"done\n"
    assert site.server.count("CancelCommand") == 1


def test_what_we_may_not_is_an_authentication_error(site: SsmSite) -> None:
    site.server.faults.denied = True

    with pytest.raises(AuthenticationError, match="not authorized"):
        site.transport().run("true")

    assert site.server.count("SendCommand") == 1


def test_a_host_that_ssm_does_not_know_is_unreachable(site: SsmSite) -> None:
    with pytest.raises(HostUnreachableError, match="InvalidInstanceId"):
        site.transport(instance="i-00000000000000000").run("true")


def test_a_host_that_cannot_keep_runs_is_unreachable(site: SsmSite) -> None:
    site.runs.write_text("no folder")

    with pytest.raises(HostUnreachableError, match="mkdir"):
        site.transport().run(_NOTE)

    assert _noted(site) == []


def test_a_host_that_nothing_answers_for_is_unreachable(site: SsmSite) -> None:
    site.server.stop()

    with pytest.raises(HostUnreachableError):
        site.transport(retry=WaitPolicy(tries=1, catch=Exception)).run("true")


def test_without_a_bucket_long_output_names_the_cure(site: SsmSite) -> None:
    with pytest.raises(TransportSettingError, match=r"exit status 0, .* give .* bucket="):
        site.transport().run("head -c 40000 /dev/zero")


def test_without_a_bucket_output_may_be_as_long_as_fits(site: SsmSite) -> None:
    result = site.transport().run("head -c 17000 /dev/zero")

    assert result.stdout == bytes(17_000)


def test_without_a_bucket_a_secret_is_not_sent(site: SsmSite) -> None:
    with pytest.raises(TransportSettingError, match="bucket="):
        site.transport().run(q("echo {word}", word=Secret("swordfish")))

    assert site.server.requests == []


def test_without_a_bucket_input_is_short(site: SsmSite) -> None:
    with pytest.raises(TransportSettingError, match="bucket="):
        site.transport().run("cat", stdin=bytes(16 * 1024 + 1))

    assert site.server.requests == []


def test_the_callers_failing_input_is_the_callers_error(site: SsmSite) -> None:
    def failing() -> Iterator[bytes]:
        yield b"x"
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        site.transport().run("cat", stdin=failing())


def test_commands_see_their_mark_and_have_a_session_of_their_own(site: SsmSite) -> None:
    result = site.transport().run(
        script(println(ref("BERTH_RUN")), "sh -c 'cut -d\" \" -f 6 /proc/$$/stat; echo $PPID'")
    )

    token, session, parent = result.lines
    assert [path.name for path in site.runs.iterdir()] == [token]
    assert session == parent


def test_a_request_gives_the_agent_more_time_than_the_run_has(site: SsmSite) -> None:
    """Our own end comes first, since the agent's leaves processes behind."""
    site.transport().run("true", timeout_s=100)
    site.transport().run("true")

    sent = [
        json.loads(json.dumps(body)) for name, body in site.server.requests if name == "SendCommand"
    ]
    limits = [body["Parameters"]["executionTimeout"] for body in sent]
    assert limits == [["160"], ["172800"]]
    assert [body["TimeoutSeconds"] for body in sent] == [30, 30]
