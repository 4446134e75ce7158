"""The attempt's container as the steps see it: prepared once, then commands run in it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from chalicelib.supervisor.attempt import Attempt
from chalicelib.supervisor.execution import Ended, Execution, Watch
from chalicelib.supervisor.faults import StepRefusedError
from chalicelib.supervisor.halt import Halt
from chalicelib.supervisor.leftovers import Leftovers
from chalicelib.supervisor.lxd import ExecRequest, Lxd
from chalicelib.supervisor.processes import StepProcesses, boot_ticks, payload_cgroup
from chalicelib.supervisor.spool import Spool

__all__ = ["Command", "Container"]

_BASH = "/bin/bash"
_SH = "/bin/sh"


@dataclass(frozen=True)
class Command:
    """A command of a step, run as the job's user."""

    step: int
    arguments: Sequence[str]
    environment: Mapping[str, str]
    cwd: str
    silence_limit_s: float


class Container:
    """Runs commands in the attempt's container and puts their output into the spool."""

    def __init__(self, attempt: Attempt, lxd: Lxd, spool: Spool, halt: Halt) -> None:
        self.lxd = lxd
        self.spool = spool
        self.halt = halt
        self._attempt = attempt
        self._cgroup = payload_cgroup(attempt.lxd_project, attempt.container)
        self._shell: str | None = None

    def prepare(self) -> None:
        """Make our directory, the file behind `BASH_ENV`, and the working directory.

        Safe to repeat.

        Raises:
            LxdError: LXD refuses, or the container is gone.
        """
        attempt = self._attempt
        self.lxd.make_directory(self._scripts, uid=0, gid=0)
        self.lxd.put_file(
            attempt.bash_env, b"", uid=attempt.uid, gid=attempt.gid, mode=0o644, size=0
        )
        self.make_user_directory(attempt.workspace)

    @property
    def _scripts(self) -> str:
        return posixpath.join(self._attempt.container_dir, "steps")

    def make_user_directory(self, path: str) -> None:
        """Make a directory, and the parents it lacks, owned by the job's user."""
        self.lxd.make_directory(path, uid=self._attempt.uid, gid=self._attempt.gid)

    def require_directory(self, path: str) -> None:
        """Check a step's own working directory.

        LXD would run the command in `/` instead, without a word (liblxc only warns).

        Raises:
            StepRefusedError: it does not exist.
        """
        if path != self._attempt.workspace and not self.lxd.exists(path):
            msg = f"working directory {path} does not exist"
            raise StepRefusedError(msg)

    def put_script(self, step: int, text: str) -> list[str]:
        """Put a step's script into the container; return the command that runs it."""
        if self._shell is None:
            self._shell = _BASH if self.lxd.exists(_BASH) else _SH
        path = posixpath.join(self._scripts, f"{step}{'.bash' if self._shell == _BASH else '.sh'}")
        content = text.encode("utf-8", "surrogateescape")
        self.lxd.put_file(path, content, uid=0, gid=0, mode=0o644, size=len(content))
        return [self._shell, "-eo", "pipefail", path]

    def run(self, command: Command) -> Ended:
        """Run a command to its end, or until the attempt halts.

        Raises:
            LxdError: LXD failed.
            InfrastructureError: the output could not be stored.
        """
        attempt, step = self._attempt, command.step
        processes = StepProcesses(self._cgroup, attempt.marker(step), boot_ticks() - 1)

        def sink(data: bytes) -> None:
            self.spool.write(step, data)

        watch = Watch(
            sink=sink,
            halted=self.halt.stopped,
            silence_limit_s=command.silence_limit_s,
            kill=partial(processes.kill, frozen=self.lxd.frozen),
            leftovers=Leftovers(processes, sink),
        )
        request = ExecRequest(
            command=command.arguments,
            environment=command.environment,
            cwd=command.cwd,
            uid=attempt.uid,
            gid=attempt.gid,
        )
        return Execution(self.lxd.start(request), watch).run()
