"""That the host in memory does what a real one does, and what only it can do."""

import os
import pwd
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import pytest

from chalicelib.errors import (
    CommandCancelledError,
    CommandFailedError,
    CommandTimeoutError,
    ConnectionLostError,
    HostUnreachableError,
    ShellError,
)
from chalicelib.shell import (
    Dialect,
    Node,
    Raw,
    Secret,
    any_text,
    append_to,
    array,
    assign,
    background,
    command,
    duplicate,
    for_each,
    function,
    join,
    last_background,
    local,
    print_text,
    println,
    q,
    redirect,
    ref,
    script,
    split,
    subshell,
    while_,
    within,
)
from chalicelib.transport import AsUser, Chunk, InFolder, LocalTransport, Sudo, WithEnvironment
from chalicelib.transport.memory import MemoryTransport, Process
from tests.transport.memory_cases import ALIKE, ENDED, OF_FILES

_TMP = "/tmp"  # noqa: S108 - of the host in memory, and nothing is written to the real one's


def _printenv(process: Process) -> int:
    found = [process.environment[name] for name in process.arguments if name in process.environment]
    process.write("".join(f"{each}\n" for each in found))
    return int(len(found) < len(process.arguments))


def _host() -> MemoryTransport:
    me = pwd.getpwuid(os.getuid()).pw_name
    return MemoryTransport(programs={"printenv": _printenv}, user=me)


@pytest.mark.parametrize("node", ALIKE.values(), ids=ALIKE)
def test_it_does_what_this_machine_does(node: Node) -> None:
    real = InFolder(LocalTransport(), "/").run(node, check=False, stdin=b"")

    made = _host().run(node, check=False, stdin=b"")

    assert (made.exit_status, made.stdout) == (real.exit_status, real.stdout)
    assert bool(made.stderr) == bool(real.stderr)


@pytest.mark.parametrize("node", ENDED.values(), ids=ENDED)
def test_it_ends_by_a_signal_as_this_machine_does(node: Node) -> None:
    """Without `InFolder`, whose brackets would go on when their shell has ended."""
    killed = script(node, println("never"))
    real = LocalTransport().run(killed, check=False)

    made = _host().run(killed, check=False)

    assert made.exit_status > 128
    assert (made.exit_status, made.stdout) == (real.exit_status, real.stdout)


@pytest.mark.parametrize("node", OF_FILES.values(), ids=OF_FILES)
def test_its_files_are_those_of_this_machine(node: Node, tmp_path: Path) -> None:
    real = InFolder(LocalTransport(), str(tmp_path)).run(node, check=False)

    made = _host().run(node, check=False)

    assert (made.exit_status, made.stdout) == (real.exit_status, real.stdout)
    assert bool(made.stderr) == bool(real.stderr)


@pytest.mark.parametrize(
    ("node", "what"),
    [
        (println(Raw("$1")), "Raw"),
        (for_each("x", [split(ref("y"))], "true"), "Split"),
        (command("cat", join("/", any_text())), "AnyText"),
        (function("f", println("x")).definition, "FunctionDefinition"),
        (local("x", "1"), "local"),
        (command("trap", "", "TERM"), "trap"),
        (command("head", "-n", "1"), "head"),
        (command("printf", "%5s", "x"), "printf"),
        (command("cat", "-A", "f"), "cat"),
        (command("chmod", "+x", "f"), "chmod"),
        (command("echo", "a\\n"), "backslash"),
        (command("[", "a", "-nt", "b", "]"), "test"),
        (command("sh", "-c", "true"), "given as a text"),
        (command("sh", "script"), "sh -c"),
        (command("sudo", "id", "-un"), "sudo"),
        (command("su", "nobody"), "su"),
        (command("whoami", "--help"), "whoami"),
        (q("kill -s STOP 1"), "a signal that ends"),
        (q("kill -9 x"), "numbers of processes"),
        (q("stat -c %s /tmp"), "%a"),
        (q("stat /tmp"), "stat -c format"),
        (q("ls /tmp /root"), "ls"),
        (q("flock f true"), "flock"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_it_cannot_do_is_refused(node: Node, what: str) -> None:
    with pytest.raises(ShellError, match=f"not in memory: .*{what}"):
        _host().run(node)


def test_what_only_bash_has_is_refused() -> None:
    with pytest.raises(ShellError, match="ArrayAssign"):
        _host().run(array("a", 1), dialect=Dialect.BASH)


def test_a_refusal_shows_no_secret() -> None:
    for node in (command("cat", Secret("-sword")), command("[", "a", "-nt", Secret("-sword"), "]")):
        with pytest.raises(ShellError) as caught:
            _host().run(node)

        assert "sword" not in str(caught.value)


def test_programs_are_functions() -> None:
    def shout(process: Process) -> int:
        process.write(process.read().upper())
        process.complain(f"in {process.folder} with {process.arguments}")
        process.files.write(process.path("said"), b"x")
        return 137

    host = MemoryTransport(
        programs={"shout": shout, "/opt/shout": lambda _: 0, "true": lambda _: 3}
    )

    result = host.run(within(_TMP, q("shout a")), stdin=b"hello", check=False)

    assert (result.exit_status, result.stdout) == (137, b"HELLO")
    assert result.stderr == b"shout: in /tmp with ('a',)\n"
    assert host.files.content(f"{_TMP}/said") == b"x"
    assert host.run("/opt/shout").ok
    assert host.run("/bin/true", check=False).exit_status == 3
    assert host.run("/srv/true", check=False).exit_status == 127


def test_a_file_has_the_mode_and_the_owner_it_was_put_with() -> None:
    host = MemoryTransport(user="ci")
    host.put(b"1", f"{_TMP}/f")
    assert host.files.at(f"{_TMP}/f").owner == "ci"

    host.put(b"22", f"{_TMP}/f", mode=0o640, owner="web:web")

    found = host.files.at(f"{_TMP}/f")
    assert (found.mode, found.owner) == (0o640, "web:web")
    assert host.get(f"{_TMP}/f") == b"22"
    assert [path for path in host.files.entries if path.startswith(f"{_TMP}/")] == [f"{_TMP}/f"]


def test_what_could_not_be_put_leaves_nothing() -> None:
    host = MemoryTransport(programs={"chown": lambda _: 1})

    with pytest.raises(CommandFailedError):
        host.put(b"x", "f", owner="nobody")

    assert [path for path in host.files.entries if path.startswith("/root/")] == []


def test_an_unreachable_host_takes_nothing() -> None:
    host = MemoryTransport()
    host.unreachable = True

    with pytest.raises(HostUnreachableError) as caught:
        host.put(b"x", "f")

    assert not isinstance(caught.value, ConnectionLostError)
    assert host.calls == []
    host.unreachable = False
    host.put(b"x", "f")


def test_a_lost_call_has_run() -> None:
    host = MemoryTransport()
    host.lose_next()

    with pytest.raises(ConnectionLostError) as caught:
        host.put(b"x", "f")

    assert caught.value.may_have_run
    assert host.get("f") == b"x"


def test_calls_are_remembered_without_secrets() -> None:
    host = MemoryTransport()

    host.run(println(Secret("sword" + "fish")))
    host.run("true")

    assert host.calls == ["printf '%s\\n' '***'", "true"]


def test_a_secret_leaves_the_input_alone() -> None:
    both = script(print_text(Secret("hush ")), "head -c 4", redirect("cat", duplicate(1, 2)))

    result = MemoryTransport().run(both, stdin=iter([b"and", b" input"]))

    assert (result.stdout, result.stderr) == (b"hush and ", b"input")


@pytest.mark.parametrize(
    "endless",
    [q("sleep 500"), while_("true"), q("cat /dev/zero"), q("seq 1000000000")],
    ids=["sleep", "loop", "cat", "seq"],
)
def test_what_does_not_end_is_ended(endless: Node) -> None:
    with pytest.raises(CommandTimeoutError, match="at its limit"):
        MemoryTransport().run(endless, timeout_s=0.1, on_output=lambda _: None)


def test_a_program_may_ask_whether_it_is_over() -> None:
    cancel = threading.Event()

    def patient(process: Process) -> int:
        cancel.set()
        assert process.over()
        process.check()
        return 0

    with pytest.raises(CommandCancelledError):
        MemoryTransport(programs={"patient": patient}).run("patient", cancel=cancel)


def test_what_the_caller_raises_is_raised() -> None:
    def refuse(_: object) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        MemoryTransport().run(println("x"), on_output=refuse)


def test_output_is_streamed() -> None:
    with MemoryTransport().stream(script(println("a"), "sleep 500")) as running:
        first = next(iter(running))

    assert first.data == b"a\n"


def test_a_reader_may_run_commands_itself() -> None:
    host, seen = MemoryTransport(), list[str]()

    host.run(
        script(println("a"), println("b")), on_output=lambda _: seen.append(host.run("id -un").text)
    )

    assert seen == ["root", "root"]


def test_a_flood_is_ended_behind_a_reader_who_leaves() -> None:
    with MemoryTransport().stream("seq 1000000000") as running:
        first = next(iter(running))

    assert first.data.startswith(b"1\n2\n")
    with pytest.raises(CommandCancelledError):
        running.result()


def test_each_shell_has_a_number_of_its_own() -> None:
    host = MemoryTransport()
    numbers = script(println(Raw("$$")), background("true"), println(last_background()))

    printed = [*host.run(numbers).lines, *AsUser(host, "nobody").run(numbers).lines]

    assert len(set(printed)) == len(printed) == 4


def test_one_run_ends_another_by_a_signal() -> None:
    host, printed = MemoryTransport(), Queue[Chunk]()
    endless = script(println(Raw("$$")), "sleep 500")

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(host.run, endless, on_output=printed.put, check=False)
        pid = int(printed.get(timeout=10).data)
        host.run(q("kill -s KILL {pid}", pid=pid))
        status = running.result(timeout=10).exit_status

    assert status == 137
    assert not host.run(q("kill -s 0 {pid}", pid=pid), check=False).ok


def test_a_copy_of_a_shell_goes_on_without_it() -> None:
    """As a process does whose parent has ended."""
    killed = subshell(command("kill", Raw("$$")), println("still"))

    result = MemoryTransport().run(script(killed, println("never")), check=False)

    assert (result.exit_status, result.stdout) == (143, b"still\n")


def test_a_script_of_another_user_is_a_shell_of_its_own() -> None:
    outside = WithEnvironment(MemoryTransport(), {"OUTER": Raw("$$")})
    user = AsUser(outside, "nobody")

    itself = user.run(script(command("kill", Raw("$$")), println("never")), check=False)
    other = user.run(script(command("kill", ref("OUTER")), println("still")), check=False)

    assert (itself.exit_status, itself.stdout) == (143, b"")
    assert (other.exit_status, other.stdout) == (143, b"still\n")


def test_a_lock_is_waited_for_until_it_is_free() -> None:
    taken, free = threading.Event(), threading.Event()

    def hold(_: Process) -> int:
        taken.set()
        return int(not free.wait(10))

    host = MemoryTransport(programs={"hold": hold})
    locked = redirect(script("flock 9", command(ref("what"))), append_to("lock", fd=9))
    with host.stream(script(assign("what", "hold"), locked)) as holding:
        taken.wait(10)
        with pytest.raises(CommandTimeoutError):
            host.run(script(assign("what", "true"), locked), timeout_s=0.1)
        free.set()
        host.run(script(assign("what", "true"), locked), timeout_s=10)

        assert holding.result().ok


def test_only_root_becomes_somebody_else_by_su() -> None:
    host = MemoryTransport(user="ci", users=["web"])

    result = AsUser(host, "web").run("whoami", check=False)

    assert (result.exit_status, result.stdout) == (1, b"")
    assert Sudo(host, "web").run("whoami").text == "web"


def test_sudo_clears_the_environment_and_su_does_not() -> None:
    host = WithEnvironment(MemoryTransport(), {"A": "kept"})
    wanted = script(println(ref("A", if_unset="cleared")), println(ref("HOME")))

    assert AsUser(host, "nobody").run(wanted).lines == ["kept", "/nonexistent"]
    assert Sudo(host, "nobody").run(wanted).lines == ["cleared", "/nonexistent"]


def test_wrappers_hold() -> None:
    host = WithEnvironment(InFolder(_host(), _TMP), {"x": Secret("b c")})

    result = host.run(script("pwd", "printenv x", "cat"), stdin=b"in")

    assert result.lines == [_TMP, "b c", "in"]
