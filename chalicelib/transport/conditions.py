"""Waiting for what comes to be on a host. Each is named by its condition.

All ask again while the host cannot be reached, since hosts start, stop and start again. Their policies
can be replaced by the caller's own.
"""

from datetime import timedelta

from chalicelib.clock import Clock
from chalicelib.errors import HostUnreachableError, ShellError
from chalicelib.shell import (
    Node,
    all_of,
    any_text,
    assign,
    command,
    exists,
    exit_,
    for_lines,
    join,
    not_,
    pipe,
    q,
    read_from,
    redirect,
    ref,
    script,
    stderr_to,
    when,
)
from chalicelib.transport.protocol import Transport
from chalicelib.transport.tree import MARK
from chalicelib.wait import WaitPolicy

__all__ = [
    "boot_id",
    "port_open",
    "process_running",
    "wait_boot_changed",
    "wait_file",
    "wait_port",
    "wait_process_running",
    "wait_reachable",
    "wait_systemd_ready",
]

_COMM_BYTES = 15
"""The kernel keeps so much of a process's name (man 5 proc_pid_comm)."""
_PORTS = 65_535
_STARTED = frozenset({"running", "degraded"})
_LIMIT = timedelta(seconds=90)
_ASK_S = 10.0
"""A host that hangs is as good as away: one question takes no longer."""


def _policy(name: str, *, sleep: timedelta = timedelta(seconds=1)) -> WaitPolicy:
    return WaitPolicy(name=name, sleep=sleep, timeout=_LIMIT, catch=HostUnreachableError)


_REACHABLE = _policy("the host to be reachable", sleep=timedelta(seconds=10))
"""Every 10 s for 90 s, as the talk has it."""
_PORT = _policy("the port to be open")
_PROCESS = _policy("the process to run")
_FILE = _policy("the file to be there")
_SYSTEMD = _policy("systemd to have started everything")
_BOOT = _policy("the host to have started again")


def wait_reachable(transport: Transport, *, clock: Clock, policy: WaitPolicy = _REACHABLE) -> None:
    """Return once the host runs a command. Default: every 10 s, for 90 s.

    Raises:
        HostUnreachableError: it still does not.
        AuthenticationError: it does not accept us.
        HostKeyError: it is another host.
    """
    policy.wait(lambda: transport.run("true", timeout_s=_ASK_S), clock=clock)


def wait_port(transport: Transport, port: int, *, clock: Clock, policy: WaitPolicy = _PORT) -> None:
    """Return once something on the host listens on the TCP port. Default: every second, for 90 s.

    Raises:
        NotReadyError: nothing does.
    """
    policy.wait(lambda: port_open(transport, port), clock=clock)


def wait_process_running(
    transport: Transport, name: str, *, clock: Clock, policy: WaitPolicy = _PROCESS
) -> None:
    """Return once a process of that very name runs on the host. Default: every second, for 90 s.

    Raises:
        NotReadyError: none does.
    """
    policy.wait(lambda: process_running(transport, name), clock=clock)


def wait_file(transport: Transport, path: str, *, clock: Clock, policy: WaitPolicy = _FILE) -> None:
    """Return once there is a file of any kind at `path`. Default: every second, for 90 s.

    Raises:
        NotReadyError: there is none.
    """
    policy.wait(lambda: _holds(transport, exists(path)), clock=clock)


def wait_systemd_ready(transport: Transport, *, clock: Clock, policy: WaitPolicy = _SYSTEMD) -> str:
    """Return `running`, or `degraded` when units failed, once systemd has started all it is to.

    Raises:
        NotReadyError: it still starts, or stops; `last_value` is empty.
    """

    def state() -> str:
        asked = transport.run("systemctl is-system-running", check=False, timeout_s=_ASK_S)
        return asked.text if asked.text in _STARTED else ""

    return policy.wait(state, clock=clock)


def wait_boot_changed(
    transport: Transport, before: str, *, clock: Clock, policy: WaitPolicy = _BOOT
) -> str:
    """Return the host's new boot id once it is another than `before`; see `boot_id`.

    Raises:
        NotReadyError: it has not been started again.
        HostUnreachableError: it went away, and did not come back in time.
    """

    def changed() -> str:
        now = boot_id(transport)
        return "" if now == before else now

    return policy.wait(changed, clock=clock)


def boot_id(transport: Transport) -> str:
    """Return what the host's kernel drew at its start; another after each."""
    return transport.run("cat /proc/sys/kernel/random/boot_id", timeout_s=_ASK_S).text


def port_open(transport: Transport, port: int) -> bool:
    """Return whether something on the host listens on the TCP port, on any address.

    Raises:
        ShellError: that is no port.
    """
    if not 0 < port <= _PORTS:
        raise ShellError(reason=f"no port: {port}")
    # State 0A is LISTEN: https://docs.kernel.org/networking/proc_net_tcp.html
    listening = f"^ *[0-9]*: [0-9A-F]*:{port:04X} [0-9A-F]*:[0-9A-F]* 0A "
    return _holds(
        transport, command("grep", "-qs", "-e", listening, "/proc/net/tcp", "/proc/net/tcp6")
    )


def process_running(transport: Transport, name: str) -> bool:
    """Return whether a process of that very name runs on the host; a zombie does not.

    The name is that of the program, or of the script that an interpreter runs. The question never
    finds itself, its shell, a longer name, or a process that has the name among its arguments, as
    `pgrep -f` does.

    Raises:
        ShellError: that is no name of a program.
    """
    if not name or "/" in name or "\n" in name:
        raise ShellError(reason=f"no name of a program: {name!r}")
    return _holds(transport, _find_process(name))


def _find_process(name: str) -> Node:
    encoded = name.encode()
    short = encoded[:_COMM_BYTES].decode(errors="ignore")
    candidates = command("grep", "-lsxF", "-e", short, join("/proc/", any_text(), "/comm"))
    pid = ref("pid")
    ours = command("grep", "-qsF", "-e", join(f"{MARK}=", ref(MARK)), _of(pid, "environ"))
    zombie = command("grep", "-qs", "-e", "^State:.Z", _of(pid, "status"))
    conditions = [not_(ours), not_(zombie)]
    if len(encoded) >= _COMM_BYTES:  # it may be the beginning of a longer one
        conditions.append(_is_called(name, pid))
    return script(
        assign("answer", "1"),
        for_lines(
            "pid",
            pipe(candidates, "cut -d / -f 3", "grep -v self"),
            when(all_of(*conditions), assign("answer", "0")),
        ),
        exit_(ref("answer")),
    )


def _of(pid: object, file: str) -> object:
    return join("/proc/", pid, f"/{file}")


def _is_called(name: str, pid: object) -> Node:
    """The kernel cuts a long name; the whole is in the path of the program, or of its script."""
    program = redirect(command("readlink", _of(pid, "exe")), stderr_to("/dev/null"))
    started = pipe(redirect("tr '\\0' '\\n'", read_from(_of(pid, "cmdline"))), "head -n 2")
    named = command("grep", "-qxF", "-e", name)
    return pipe(q(program, started), command("sed", "s,.*/,,"), named)


def _holds(transport: Transport, condition: Node) -> bool:
    return transport.run(condition, check=False, timeout_s=_ASK_S).ok
