"""Whose a control group is, and what its counters say of memory.

Rule of this file: pure. `machine.py` reads the files.

Only the first part of a path is looked at. LXD names it; everything below is made inside the
container, by whoever is root there, and may be called what the next container is called.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.model import parse_container_name

__all__ = ["MemoryCounters", "Owner", "owner_of", "payload_names"]

_PAYLOAD = re.compile(r"/(?:lxc\.payload[./]|lxc/)(?P<name>[^/\n]{1,255})(?:/|$)")
_AGAIN = re.compile(r"-[0-9]{1,3}$")
_COUNT = re.compile(r"^oom_kill ([0-9]{1,18})$", re.MULTILINE)
_NO_LIMIT = 1 << 62
"""v1 writes no limit as the highest multiple of a page below 2**63, v2 as the word `max`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The LXD container that a control group is of.

    Attributes:
        project, container: its project, `default` for LXD's own, and its name.
        job, fence: the attempt, when the container is one of ours; else empty and 0.
    """

    project: str
    container: str
    job: str = ""
    fence: int = 0


def owner_of(path: str) -> Owner | None:
    """Return the container that a path within the hierarchy belongs to, or None for the host's own.

    liblxc names the group `lxc.payload.NAME`, before 4.0 `lxc/NAME`, with NAME `PROJECT_CONTAINER`
    outside the default project, and adds `-1` when a group of that name is still there
    (`cgfsng_payload_create` in src/lxc/cgroups/cgfsng.c).

    >>> owner_of("/lxc.payload.berth_berth-abcdefghijklmnop-3/init.scope").fence
    3
    >>> owner_of("/lxc/web")
    Owner(project='default', container='web', job='', fence=0)
    >>> owner_of("/system.slice/ssh.service") is None
    True
    """
    match = _PAYLOAD.match(path)
    if match is None:
        return None
    project, mark, container = match["name"].partition("_")
    if not mark:
        project, container = "default", match["name"]
    attempt = parse_container_name(container) or parse_container_name(_AGAIN.sub("", container))
    job, fence = attempt or ("", 0)
    return Owner(project=project, container=container, job=job, fence=fence)


def payload_names(project: str, container: str) -> tuple[str, ...]:
    """Return where a container's group may be, as paths below the root of a hierarchy.

    >>> payload_names("berth", "x")
    ('lxc.payload.berth_x', 'lxc.payload/berth_x', 'lxc/berth_x')
    """
    name = container if project == "default" else f"{project}_{container}"
    return f"lxc.payload.{name}", f"lxc.payload/{name}", f"lxc/{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCounters:
    """What the kernel counts of a container's memory. None: it does not say.

    Attributes:
        kills: processes that it killed in the group for want of memory.
        limit_bytes: the group's limit.
        peak_bytes: the most that it ever held.
    """

    kills: int | None = None
    limit_bytes: int | None = None
    peak_bytes: int | None = None

    @classmethod
    def parse(cls, files: Mapping[str, str]) -> "MemoryCounters":
        r"""Return the counters in the files of one group, by their names in v1 or v2.

        Documentation/admin-guide/cgroup-v2.rst, "Memory Interface Files"; v1 counts kills since
        Linux 4.13, v2 has the peak since 5.19.

        >>> MemoryCounters.parse({"memory.events": "oom 1\noom_kill 2\n", "memory.max": "max\n"})
        MemoryCounters(kills=2, limit_bytes=None, peak_bytes=None)
        """
        counts = _COUNT.search(files.get("memory.events") or files.get("memory.oom_control", ""))
        return cls(
            kills=int(counts[1]) if counts else None,
            limit_bytes=_number(files, "memory.max", "memory.limit_in_bytes"),
            peak_bytes=_number(files, "memory.peak", "memory.max_usage_in_bytes"),
        )


def _number(files: Mapping[str, str], *names: str) -> int | None:
    text = next((files[name].strip() for name in names if name in files), "")
    if not re.fullmatch(r"[0-9]{1,20}", text):
        return None
    number = int(text)
    return number if number < _NO_LIMIT else None
