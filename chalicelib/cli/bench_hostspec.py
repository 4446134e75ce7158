"""`berth bench hostspec`: the same resources on the same host by Berth, by pyinfra and by Ansible.

One LXD container with an sshd; each contender is its own command, started anew each time, as people
run it: what its program takes to start is counted. In turns, after all have applied once. The first
apply is measured on a fresh container each. The rivals are installed for this alone, with their
defaults but for what makes them faster: Ansible with pipelining and one connection that is kept, no
facts gathered, and pyinfra without its prompt.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from chalicelib.cli.bench_hostspec_spec import (
    ansible_playbook,
    pyinfra_deploy,
    resource_count,
)
from chalicelib.cli.frame import command_parser, print_json, print_table
from chalicelib.cli.rivals import make_importable, program
from chalicelib.errors import CommandFailedError, LocalStackError
from chalicelib.local.lxd import prepare, remove_project
from chalicelib.local.machine import SshMachine, running_machine
from chalicelib.local.places import ROOT, Places
from chalicelib.local.progress import Progress
from chalicelib.shell import Node, command
from chalicelib.transport import LocalTransport

__all__ = ["Contender", "bench_hostspec", "figures_of"]

_BUDGET = {"vs_pyinfra": 10.0, "vs_ansible": 30.0}
_LIMIT_S = 600.0
_DIGITS = 3
_BERTH, _PYINFRA, _ANSIBLE = "berth", "pyinfra", "ansible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A program that makes a host what it should be.

    Attributes:
        name: of the program.
        command: applies all resources once.
        variables: its settings.
    """

    name: str
    command: Node
    variables: Mapping[str, str]

    def run(self) -> float:
        """Apply, and return how many seconds that took.

        Raises:
            LocalStackError: it failed; with its last words.
        """
        environment = {**os.environ, **self.variables}  # noqa: TID251 - a shell's, as people have it
        machine = LocalTransport(environment=environment)
        started = time.perf_counter()
        try:
            machine.run(self.command, timeout_s=_LIMIT_S)
        except CommandFailedError as error:
            said = (error.stdout + error.stderr).decode(errors="replace")[-2000:]
            raise LocalStackError(
                reason=f"{self.name} failed:\n{said}", cure="see what it says; run the bench again"
            ) from error
        return time.perf_counter() - started


def bench_hostspec(arguments: Sequence[str]) -> int:
    """Measure first and no-change applies, and print medians and ratios."""
    parser = command_parser(
        "bench hostspec",
        f"Measure {resource_count()} resources of nine kinds on one container over SSH,\n"
        "pyinfra and Ansible alongside. Each run is a process of its own, its start included.",
        examples=["./berth bench hostspec", "./berth bench hostspec --rounds 10 --json"],
    )
    parser.add_argument("--rounds", type=int, default=5, help="no-change runs; default: 5")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args(arguments)
    progress = Progress()
    make_importable(progress)
    with _lxd(progress) as make_machine:
        first = {}
        for name in (_BERTH, _PYINFRA, _ANSIBLE):
            with make_machine() as (machine, folder):
                contender = _contenders(machine, folder)[name]
                with progress.step(f"first apply by {name}, on a fresh container"):
                    first[name] = contender.run()
        with make_machine() as (machine, folder):
            nochange = _rounds(_contenders(machine, folder), asked.rounds, progress)
    figures = figures_of(first, nochange)
    _print(figures, as_json=asked.json)
    return 0


def figures_of(
    first: Mapping[str, float], nochange: Mapping[str, Sequence[float]]
) -> dict[str, float]:
    """Return medians in seconds, and how many times Berth's the rivals' are.

    >>> figures_of(
    ...     {"berth": 2.0, "pyinfra": 6.0, "ansible": 20.0},
    ...     {"berth": [0.5, 0.4, 0.6], "pyinfra": [5.0], "ansible": [15.0]},
    ... )["vs_pyinfra"]
    10.0
    """
    medians = {name: statistics.median(taken) for name, taken in nochange.items()}
    figures = {
        "resources": float(resource_count()),
        "first_s": first[_BERTH],
        "nochange_s": medians[_BERTH],
    }
    for name in (_PYINFRA, _ANSIBLE):
        figures[f"{name}_first_s"] = first[name]
        figures[f"{name}_nochange_s"] = medians[name]
        figures[f"first_vs_{name}"] = first[name] / first[_BERTH]
        figures[f"vs_{name}"] = medians[name] / medians[_BERTH]
    return {name: round(value, _DIGITS) for name, value in figures.items()}


Machines = Callable[[], AbstractContextManager[tuple[SshMachine, Path]]]


@contextmanager
def _lxd(progress: Progress) -> Iterator[Machines]:
    """Make this machine's LXD ready, and give what makes a container with sshd in it."""
    places = Places.from_environment()
    project = f"berth-bench-{os.getpid()}"
    state, images = places.home / "state", ROOT / ".berth/images"
    facts = prepare(state, progress, project=project, slots=1, images=images)

    @contextmanager
    def machine() -> Iterator[tuple[SshMachine, Path]]:
        with (
            tempfile.TemporaryDirectory(prefix="berth-bench-") as folder,
            running_machine(facts, Path(folder)) as made,
        ):
            known = [f"{made.address} {key}" for key in made.host_keys]
            (Path(folder) / "known_hosts").write_text("\n".join(known) + "\n")
            yield made, Path(folder)

    try:
        yield machine
    finally:
        remove_project(facts.socket, project)


def _rounds(
    contenders: Mapping[str, Contender], rounds: int, progress: Progress
) -> dict[str, list[float]]:
    """Apply by each until nothing is left to do, then measure in turns."""
    with progress.step("applying by all three to one container"):
        for _ in range(2):
            for contender in contenders.values():
                progress.detail(contender.name)
                contender.run()
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    with progress.step(f"{rounds} rounds with nothing to do, in turns"):
        for number in range(rounds):
            progress.detail(f"{number + 1} of {rounds}")
            for name, contender in contenders.items():
                taken[name].append(contender.run())
    return taken


def _contenders(machine: SshMachine, folder: Path) -> dict[str, Contender]:
    found = (
        _berth(machine, folder),
        _pyinfra(machine, folder),
        _ansible(machine, folder),
    )
    return {each.name: each for each in found}


def _berth(machine: SshMachine, folder: Path) -> Contender:
    spec = folder / "spec.py"
    spec.write_text(
        "from chalicelib.cli.bench_hostspec_spec import berth_spec\n\nspec = berth_spec()\n"
    )
    words = [ROOT / "berth", "host", "apply", spec, "--host", f"root@{machine.address}"]
    words += ["--identity", machine.identity, "--known-hosts", folder / "known_hosts"]
    return Contender(name=_BERTH, command=command(*words), variables={})


def _pyinfra(machine: SshMachine, folder: Path) -> Contender:
    (folder / "deploy.py").write_text(pyinfra_deploy())
    settings = {"ssh_user": "root", "ssh_key": str(machine.identity)}
    settings |= {"ssh_known_hosts_file": str(folder / "known_hosts")}
    (folder / "inventory.py").write_text(f"hosts = [({machine.address!r}, {settings!r})]\n")
    words = [program("pyinfra"), "-y", folder / "inventory.py", folder / "deploy.py"]
    return Contender(name=_PYINFRA, command=command(*words), variables={})


def _ansible(machine: SshMachine, folder: Path) -> Contender:
    (folder / "playbook.yml").write_text(ansible_playbook())
    variables = {
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s "
        f"-o UserKnownHostsFile={folder / 'known_hosts'}",
        "LC_ALL": "C.UTF-8",
    }
    words = [program("ansible-playbook"), "-i", f"{machine.address},", "-u", "root"]
    words += ["--private-key", machine.identity, folder / "playbook.yml"]
    return Contender(name=_ANSIBLE, command=command(*words), variables=variables)


def _print(figures: Mapping[str, float], *, as_json: bool) -> None:
    if as_json:
        print_json(figures)
        return
    rows = []
    for name, value in figures.items():
        budget = f"budget {_BUDGET[name]:g} or more" if name in _BUDGET else ""
        unit = "s" if name.endswith("_s") else "times Berth's" if "vs_" in name else ""
        rows.append((name, f"{value:8.2f} {unit}", budget))
    print_table(rows)
