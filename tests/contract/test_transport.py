"""What every driver of a transport must do: the fake, this machine, SSH, SSM and LXD."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from chalicelib.errors import (
    CommandCancelledError,
    CommandFailedError,
    CommandTimeoutError,
)
from chalicelib.shell import (
    Node,
    Raw,
    Secret,
    background,
    command,
    duplicate,
    exit_,
    print_text,
    println,
    q,
    q_chain,
    redirect,
    script,
    subshell,
)
from chalicelib.transport import (
    Chunk,
)
from tests.contract.transports import ALL_BYTES, Site, alive

pytestmark = pytest.mark.timeout(300)  # the first to use LXD may make the image


def _on_stderr(node: Node) -> Node:
    return redirect(node, duplicate(1, 2))


def test_a_result_holds_what_the_command_did(site: Site) -> None:
    result = site.transport.run(script(print_text("out"), _on_stderr(print_text("err"))))

    assert (result.stdout, result.stderr, result.exit_status) == (b"out", b"err", 0)
    assert result.ok
    assert result.host == site.transport.host
    assert "printf" in result.command
    assert result.elapsed > timedelta(0)


@pytest.mark.parametrize("status", [1, 3, 127, 128, 255])
def test_an_exit_status_is_an_error_with_all_facts(site: Site, status: int) -> None:
    failing = script(print_text("out"), _on_stderr(print_text("why")), exit_(status))

    with pytest.raises(CommandFailedError) as caught:
        site.transport.run(failing)

    error = caught.value
    assert (error.exit_status, error.stdout, error.stderr) == (status, b"out", b"why")
    assert error.host == site.transport.host
    assert f"exit status {status}" in str(error)
    assert "why" in str(error)


def test_an_exit_status_is_a_result_where_that_is_wanted(site: Site) -> None:
    assert site.transport.run(exit_(3), check=False).exit_status == 3


def test_a_missing_program_is_said(site: Site) -> None:
    result = site.transport.run(command("no-such-program", "x"), check=False)

    assert result.exit_status == 127
    assert b"no-such-program" in result.stderr


@pytest.mark.parametrize(("signal", "status"), [("KILL", 137), ("TERM", 143), ("HUP", 129)])
def test_a_signal_is_a_status_above_128(site: Site, signal: str, status: int) -> None:
    killed = command("kill", "-s", signal, Raw("$$"))

    assert site.transport.run(killed, check=False).exit_status == status


def test_all_bytes_come_and_go(site: Site) -> None:
    assert site.transport.run("cat", stdin=ALL_BYTES).stdout == ALL_BYTES


def test_an_input_may_come_in_pieces(site: Site) -> None:
    def pieces() -> Iterator[bytes]:
        for number in range(200):
            yield f"{number}\n".encode()

    result = site.transport.run("cat", stdin=pieces())

    assert result.lines == [str(number) for number in range(200)]


def test_without_an_input_there_is_an_empty_one(site: Site) -> None:
    assert site.transport.run("cat").stdout == b""


def test_an_input_that_nobody_reads_does_no_harm(site: Site) -> None:
    assert site.transport.run(print_text("done"), stdin=b"x" * 2_000_000).text == "done"


def test_output_goes_on_after_the_input_has_ended(site: Site) -> None:
    """Half of a connection is closed, not the whole."""
    copied = script("cat", "seq 3", "cat")

    result = site.transport.run(copied, stdin=iter([b"ab", b"c\n"]))

    assert result.lines == ["abc", "1", "2", "3"]


def test_floods_on_both_streams_arrive_whole(site: Site) -> None:
    """What waits for one stream while the other is full would never end."""
    size = site.flood_bytes
    flood = q("head -c {size} /dev/zero", size=size)
    arrived = {"stdout": 0, "stderr": 0}

    def count(chunk: Chunk) -> None:
        assert not chunk.data.strip(b"\0")
        arrived[chunk.stream] += len(chunk.data)

    both = script(background(flood), _on_stderr(flood), "wait")
    result = site.transport.run(both, on_output=count)

    assert arrived == {"stdout": size, "stderr": size}
    assert len(result.stdout) == 64 * 1024


def test_a_slow_reader_loses_nothing(site: Site) -> None:
    """The reader stands still until another command has run; then it reads on."""
    transport, seen, digest = site.transport, 0, hashlib.sha256()
    size = min(site.flood_bytes, 20_000_000)
    numbers = q("seq -w 100000000 {last}", last=100_000_000 + size // 10 - 1)

    with transport.stream(numbers) as running:
        for chunk in running:
            if not seen:
                assert transport.run(print_text("meanwhile")).text == "meanwhile"
            seen += len(chunk.data)
            digest.update(chunk.data)
        running.result()

    whole = "".join(f"{100_000_000 + each}\n" for each in range(size // 10)).encode()
    assert seen == len(whole)
    assert digest.digest() == hashlib.sha256(whole).digest()


def test_lines_are_gone_through_as_they_come(site: Site) -> None:
    printing = script(println("one"), _on_stderr(println("two\u00e9")), print_text("three"))

    with site.transport.stream(printing) as running:
        lines = sorted(running.lines())
        status = running.result().exit_status

    assert lines == [("stderr", "twoé"), ("stdout", "one"), ("stdout", "three")]
    assert status == 0


def test_a_failure_is_told_at_the_end_of_a_stream(site: Site) -> None:
    with (
        site.transport.stream(script(println("one"), exit_(4))) as running,
        pytest.raises(CommandFailedError, match="exit status 4"),
    ):
        running.result()


def test_leaving_a_stream_ends_the_command(site: Site) -> None:
    if not site.streams:
        pytest.skip("SSM gives output at the end only")
    with site.transport.stream(script(println(Raw("$$")), "sleep 500")) as running:
        pid = int(next(iter(running)).data)
        assert alive(site.transport, pid)

    assert not alive(site.transport, pid)


def test_a_time_out_ends_all_that_was_started(real_site: Site) -> None:
    """In a session of its own, with an environment of its own, or just in the background.

    Not in memory: what is in the background there has ended when the next command begins.
    """
    children = ("setsid sleep 501", "env -i sleep 502", "sleep 503")
    started = [script(background(each), println(Raw("$!"))) for each in children]

    with pytest.raises(CommandTimeoutError) as caught:
        real_site.transport.run(script(println(Raw("$$")), *started, "sleep 504"), timeout_s=1.5)

    pids = [int(line) for line in caught.value.stdout.split()]
    assert len(pids) == 4
    assert [pid for pid in pids if alive(real_site.transport, pid)] == []
    assert caught.value.timeout_s == 1.5


def test_what_ignores_the_first_signal_is_ended_too(real_site: Site) -> None:
    """Not in memory: no signal is sent there, a run that is over looks and ends itself."""
    stubborn = script(command("trap", "", "TERM"), println(Raw("$$")), "sleep 505", "sleep 505")

    with pytest.raises(CommandTimeoutError) as caught:
        real_site.transport.run(stubborn, timeout_s=1.5)

    assert not alive(real_site.transport, int(caught.value.stdout))


def test_a_time_out_is_an_error(site: Site) -> None:
    with pytest.raises(CommandTimeoutError, match="at its limit"):
        site.transport.run("sleep 500", timeout_s=0.5)


def test_a_command_is_cancelled_from_elsewhere(site: Site) -> None:
    cancel = threading.Event()
    timer = threading.Timer(0.5, cancel.set)
    timer.start()

    with pytest.raises(CommandCancelledError):
        site.transport.run("sleep 500", cancel=cancel)


def test_what_the_caller_raises_ends_the_command(site: Site) -> None:
    seen: list[bytes] = []

    def refuse(chunk: Chunk) -> None:
        seen.append(chunk.data)
        raise LookupError("enough")

    # SSM gives output at the end only.
    rest = "sleep 506" if site.streams else "true"
    with pytest.raises(LookupError, match="enough"):
        site.transport.run(script(println(Raw("$$")), rest), on_output=refuse)

    assert not alive(site.transport, int(seen[0]))


def test_what_the_input_raises_is_raised(site: Site) -> None:
    def broken() -> Iterator[bytes]:
        yield b"begun"
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        site.transport.run("cat", stdin=broken())


def test_a_background_child_is_not_waited_for(real_site: Site) -> None:
    """Not in memory: there is one thread there, and the child has ended when the next one begins."""
    left = script(background("sleep 30"), println(Raw("$!")))

    result = real_site.transport.run(left, timeout_s=20)

    assert alive(real_site.transport, int(result.text))
    real_site.transport.run(q("kill -9 {pid}", pid=result.text))


def test_a_secret_reaches_the_command_and_nothing_else(real_site: Site) -> None:
    """Not in memory: there is no process list there that could show it."""
    secret = Secret("sword" + "fish")
    table = command("cat", Raw("/proc/[0-9]*/cmdline"))

    result = real_site.transport.run(
        script(print_text(secret), _on_stderr(subshell(table, "true")))
    )

    assert result.text == "swordfish"
    assert b"swordfish" not in result.stderr
    assert "swordfish" not in repr(result) + result.command


def test_a_secret_is_in_no_error(site: Site) -> None:
    with pytest.raises(CommandFailedError) as caught:
        site.transport.run(q_chain(command("cat", "/nowhere/x", Secret("sword" + "fish"))))

    assert "swordfish" not in caught.value.command
    assert "***" in caught.value.command


def test_a_command_with_a_secret_has_its_own_input(site: Site) -> None:
    both = script(print_text(Secret("hush ")), "cat")

    assert site.transport.run(both, stdin=b"and input").text == "hush and input"


def test_fifty_commands_run_at_once(site: Site) -> None:
    def numbered(number: int) -> str:
        return site.transport.run(script("sleep 0.1", println(number))).text

    with ThreadPoolExecutor(50) as pool:
        printed = list(pool.map(numbered, range(50)))

    assert printed == [str(number) for number in range(50)]
