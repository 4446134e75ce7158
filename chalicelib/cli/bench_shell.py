"""`berth bench shell`: what a command costs here and over SSH, and what the same costs without Berth.

All contenders do the same in turns within one process, so that each sees the same machine: they run
one program, by its path, and read both its outputs and its exit status. A ratio is taken within each
round; the figures are medians over the rounds. The sshd is one of this benchmark's own, on loopback.
The rivals are installed for this alone.
"""

import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import paramiko

from chalicelib.cli.frame import command_parser, print_json, print_table
from chalicelib.cli.rivals import make_importable
from chalicelib.local.progress import Progress
from chalicelib.local.sshd import Sshd, running_sshd
from chalicelib.shell import command, q, render, script
from chalicelib.transport import LocalTransport
from chalicelib.transport.ssh import SshTarget, SshTransport

__all__ = ["bench_shell", "figures_of", "in_turns", "measure"]

Call: TypeAlias = Callable[[], object]
Rounds: TypeAlias = Sequence[Mapping[str, float]]

_PROGRAM = "/bin/true"
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8"}
_CALLS = 20
_RENDERINGS = 1000
_COMMANDS = 50
_READ_BYTES = 64 * 1024
_DIGITS = 2
_BUDGETS = {
    "local_vs_subprocess": "at most 1.1",
    "ssh_vs_raw_paramiko": "at most 1.1",
    "vs_plumbum": "above 1",
    "vs_sh": "above 1",
    "script_of_50_vs_50_round_trips": "at least 10",
}


def bench_shell(arguments: Sequence[str]) -> int:
    """Measure commands beside subprocess, paramiko, plumbum and sh, and print the ratios."""
    parser = command_parser(
        "bench shell",
        "Measure a command here and over SSH, beside subprocess, paramiko, plumbum and sh.",
        examples=["./berth bench shell", "./berth bench shell --rounds 10 --json"],
    )
    parser.add_argument("--rounds", type=int, default=40, help="default: 40")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args(arguments)

    progress = Progress()
    make_importable(progress)
    with progress.step(f"{asked.rounds} rounds, in turns"):
        figures = measure(asked.rounds)
    _print(figures, as_json=asked.json)
    return 0


def measure(rounds: int) -> dict[str, float]:
    """Return the figures. The rivals must be importable; see `rivals`."""
    here = in_turns(_here(import_module("plumbum"), import_module("sh")), rounds, calls=_CALLS)
    rendering = in_turns({"render": _rendered}, rounds, calls=_RENDERINGS)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sshd(Path(folder)) as server,
        closing(SshTransport(server.target())) as host,
        _bare(server) as client,
    ):
        there = in_turns(_there(host, client), rounds, calls=_CALLS)
        # One call of these is 50 commands already.
        scripts = in_turns(_scripts(host), rounds, calls=1)
    return figures_of(here=here, rendering=rendering, there=there, scripts=scripts)


def in_turns(contenders: Mapping[str, Call], rounds: int, *, calls: int) -> list[dict[str, float]]:
    """Return for each round the microseconds that one call of each contender took.

    Every second round goes backwards: who comes first finds other caches than who comes last.
    """
    for call in contenders.values():
        call()  # connections and imports belong to no round
    taken = []
    for number in range(rounds):
        order = list(contenders)[:: -1 if number % 2 else 1]
        taken.append({name: _per_call_us(contenders[name], calls) for name in order})
    return taken


def figures_of(
    *, here: Rounds, rendering: Rounds, there: Rounds, scripts: Rounds
) -> dict[str, float]:
    """Return the figures as they are printed.

    >>> figures_of(
    ...     here=[{"berth": 10.0, "subprocess": 10.0, "plumbum": 20.0, "sh": 30.0}],
    ...     rendering=[{"render": 7.0}],
    ...     there=[{"berth": 5.0, "paramiko": 4.0}],
    ...     scripts=[{"apart": 90.0, "together": 3.0}],
    ... )["vs_plumbum"]
    2.0
    """
    figures = {
        "local_vs_subprocess": _ratio(here, "berth", "subprocess"),
        "render_us_per_command": statistics.median(each["render"] for each in rendering),
        "ssh_vs_raw_paramiko": _ratio(there, "berth", "paramiko"),
        "vs_plumbum": _ratio(here, "plumbum", "berth"),
        "vs_sh": _ratio(here, "sh", "berth"),
        "script_of_50_vs_50_round_trips": _ratio(scripts, "apart", "together"),
    }
    return {name: round(value, _DIGITS) for name, value in figures.items()}


def _ratio(rounds: Rounds, dividend: str, divisor: str) -> float:
    return statistics.median(each[dividend] / each[divisor] for each in rounds)


def _per_call_us(call: Call, calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - started) / calls * 1e6


def _rendered() -> object:
    return render(q("git log -1 {commit} -- {path}", commit="b52a52c", path="it's here"))


def _here(plumbum: Any, sh: Any) -> dict[str, Call]:
    ours = LocalTransport(environment=_ENVIRONMENT)
    program = command(_PROGRAM)
    # sh gives programs a terminal unless told; the others give pipes.
    for_sh = sh.Command(_PROGRAM).bake(_env=_ENVIRONMENT, _tty_out=False)
    # What plumbum is given for one command is added to its own, which is a copy of this process's.
    plumbum.local.env.clear()
    plumbum.local.env.update(_ENVIRONMENT)
    for_plumbum = plumbum.local[_PROGRAM]
    quiet = subprocess.DEVNULL

    def by_subprocess() -> object:
        return subprocess.run(
            [_PROGRAM], capture_output=True, stdin=quiet, env=_ENVIRONMENT, check=True
        )

    return {
        "berth": lambda: ours.run(program),
        "subprocess": by_subprocess,
        "plumbum": for_plumbum.run,
        "sh": lambda: str(for_sh()),
    }


def _there(host: SshTransport, client: paramiko.Transport) -> dict[str, Call]:
    program = command(_PROGRAM)
    return {"berth": lambda: host.run(program), "paramiko": lambda: _run_bare(client)}


def _scripts(host: SshTransport) -> dict[str, Call]:
    commands = [q("echo {number}", number=number) for number in range(_COMMANDS)]
    whole = script(*commands)
    return {
        "apart": lambda: [host.run(each) for each in commands],
        "together": lambda: host.run(whole),
    }


@contextmanager
def _bare(server: Sshd) -> Iterator[paramiko.Transport]:
    """A connection like that of the SSH transport, without it."""
    target: SshTarget = server.target()
    connected = socket.create_connection((target.address, target.port))
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client = paramiko.Transport(connected)
    try:
        key = paramiko.Ed25519Key.from_private_key_file(str(server.folder / "user_ed25519"))
        client.connect(username=target.user, pkey=key)
        yield client
    finally:
        client.close()


def _run_bare(client: paramiko.Transport) -> int:
    with client.open_session() as channel:
        channel.exec_command(_PROGRAM)
        while channel.recv(_READ_BYTES):
            pass
        while channel.recv_stderr(_READ_BYTES):
            pass
        return channel.recv_exit_status()


def _print(figures: Mapping[str, float], *, as_json: bool) -> None:
    if as_json:
        print_json(figures)
        return
    print("commands, medians of ratios\n")
    rows = []
    for name, value in figures.items():
        unit = "us" if "_us_" in name else "times"
        budget = f"budget: {_BUDGETS[name]}" if name in _BUDGETS else ""
        rows.append((name.replace("_", " "), f"{value:8.2f} {unit}", budget))
    print_table(rows)
