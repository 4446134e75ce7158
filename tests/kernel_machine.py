"""A machine with a kernel of its own, for what containers may not do and this kernel may not have.

It is User-mode Linux (https://docs.kernel.org/virt/uml/user_mode_linux_howto_v2.html): a real kernel,
with modules, as a program of this machine. It starts in two seconds and sees this machine's files,
under a layer in its memory that takes every change.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from chalicelib.errors import ConnectionLostError
from chalicelib.transport.invocation import pieces
from chalicelib.transport.run import Driver, Run

__all__ = ["MEMORY_MIB", "KernelTransport", "kernel_machine"]

_AGENT = Path(__file__).parent / "kernel_agent.py"
MEMORY_MIB = 256
_TAIL_CHARACTERS = 4000


class KernelTransport(Driver):
    """Commands on that machine, one at a time, as root; output comes at the end."""

    def __init__(self, to: IO[bytes], answers: IO[bytes]) -> None:
        """Remember the two directions of its serial line."""
        self.host = "a kernel of its own"
        self.facts = frozenset()
        self._to, self._answers = to, answers
        self._lock = threading.Lock()

    def perform(self, run: Run) -> int:
        """Have it run."""
        stdin = b"".join(pieces(run.invocation.stdin))
        request = {
            "arguments": run.invocation.arguments,
            "stdin": base64.b64encode(stdin).decode(),
        }
        with self._lock:
            self._to.write(json.dumps(request).encode() + b"\n")
            self._to.flush()
            line = self._answers.readline()
        if not line:
            raise ConnectionLostError(host=self.host, reason="it stopped", may_have_run=True)
        answer = json.loads(line)
        run.feed("stdout", base64.b64decode(answer["stdout"]))
        run.feed("stderr", base64.b64decode(answer["stderr"]))
        return int(answer["status"])


@contextmanager
def kernel_machine(folder: Path) -> Iterator[KernelTransport]:
    """Start one, and stop it in the end. If this process is killed it stops by itself.

    Args:
        folder: for what it prints on its console.
    """
    console = folder / "console"
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
    with console.open("wb") as printed:
        machine = subprocess.Popen(
            [
                "linux.uml",
                *(f"mem={MEMORY_MIB}M", f"uml_dir={folder}/"),
                *("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"),
                *("con=null", "con0=null,fd:1", f"ssl0=fd:{theirs_in},fd:{theirs_out}"),
                f"init={sys.executable}",
                *("--", "-I", str(_AGENT)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            pass_fds=(theirs_in, theirs_out),
            start_new_session=True,
        )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        with os.fdopen(ours_out, "wb") as to, os.fdopen(ours_in, "rb") as answers:
            if answers.readline() != b"ready\n":
                said = console.read_text(errors="replace")[-_TAIL_CHARACTERS:]
                raise AssertionError(f"there is no kernel of its own; its last words:\n{said}")
            yield KernelTransport(to, answers)
    finally:
        os.killpg(machine.pid, signal.SIGKILL)
        machine.wait()
