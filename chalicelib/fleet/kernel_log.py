"""What the kernel says it killed for want of memory.

`oom-kill:constraint=CONSTRAINT_MEMCG,…,task_memcg=/lxc.payload.berth_NAME,task=python3,pid=…` names
the container's cgroup, which holds the LXD project and the container's name.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

__all__ = ["killed_for_memory", "read_kernel_log"]

_RECORD_BYTES = 8192
_KILL = re.compile(r"oom-kill:.*,task_memcg=/(?P<cgroup>[^,]*),task=(?P<task>[^,]*),pid=")


def killed_for_memory(lines: Iterable[str], *, project: str, container: str) -> str:
    """Return the program that the kernel last killed in a container, or the empty string.

    >>> line = "6,1,2,-;oom-kill:constraint=C,task_memcg=/lxc.payload.berth_x/a,task=cc1,pid=7,uid=0"
    >>> killed_for_memory([line], project="berth", container="x")
    'cc1'
    >>> killed_for_memory([line], project="berth", container="y")
    ''
    """
    payload = f"lxc.payload.{project}_{container}"
    kills = filter(None, map(_KILL.search, lines))
    found = [kill["task"] for kill in kills if kill["cgroup"].split("/")[0] == payload]
    return found[-1] if found else ""


def read_kernel_log() -> Iterator[str]:
    """Yield the records that the kernel still has, oldest first; none where it may not be read."""
    try:
        handle = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        with suppress(BlockingIOError):
            while True:
                # EPIPE says that records were overwritten while we read; the next read goes on.
                with suppress(BrokenPipeError):
                    yield os.read(handle, _RECORD_BYTES).decode(errors="replace")
    finally:
        os.close(handle)
