"""Ends the supervisors of the attempts on this machine when the stack goes down.

They are killed, not asked: a supervisor that is asked reports its job as cancelled, but a job that
ran at `down` is to run again after `up`. The sweeper finds it by its lease.
"""

import os
import signal
from pathlib import Path

__all__ = ["kill_supervisors"]


def kill_supervisors(host: Path) -> int:
    """Kill every supervisor whose attempt lies below `host`; return how many there were.

    A process is a supervisor only if its command line names its attempt's directory: the number in
    an old file may belong to somebody else by now.
    """
    killed = 0
    for file in (host / "attempts").glob("*/pid"):
        try:
            pid = int(file.read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if os.fsencode(file.parent) in words:
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed
