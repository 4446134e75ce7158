"""The LXD project of a stack, and the pool and profile that its containers use.

Nothing that Berth did not make is changed: not the default project, its profile, or any other pool.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from chalicelib.errors import LocalStackError
from chalicelib.fleet.lxd_api import LxdApi
from chalicelib.local.btrfs import use_simple_quotas
from chalicelib.local.lxd_network import BRIDGE

__all__ = ["POOL", "ensure_pool", "ensure_profile", "ensure_project"]

POOL = "berth"
_MARK = {"user.berth": "true"}
_GIB = 1024**3
_LEAST_GIB = 10
_USUAL_GIB = 30
_MOUNT_OPTIONS = "noatime,user_subvol_rm_allowed"
"""LXD's own option, and no access times: each would copy a block of the golden container."""


def ensure_project(api: LxdApi, project: str) -> None:
    """Make the stack's own project: own images, containers and profiles; networks are shared.

    Raises:
        LocalStackError: there is one of that name that Berth did not make.
    """
    found = api.get("projects", project)
    if found is None:
        config = {
            **_MARK,
            "features.images": "true",
            "features.profiles": "true",
            "features.storage.volumes": "true",
            "features.networks": "false",
        }
        api.post("projects", body={"name": project, "description": "Berth", "config": config})
    elif found["config"].get("user.berth") != "true":
        raise _foreign("project", project)


def ensure_pool(api: LxdApi, socket: Path, *, pool: str = POOL, driver: str = "btrfs") -> None:
    """Make the storage pool that all stacks on this machine share.

    It is a sparse file beside LXD's own files: it takes room as it fills.

    Raises:
        LocalStackError: there is one of that name that is not ours, or too little room.
    """
    found = api.get("storage-pools", pool)
    if found is not None:
        if found["config"].get("user.berth") != "true":
            raise _foreign("storage pool", pool)
        return
    config = dict(_MARK)
    if driver == "btrfs":
        size = _pool_size_gib(socket.parent)
        config |= {"size": f"{size}GiB", "btrfs.mount_options": _MOUNT_OPTIONS}
    body = {"name": pool, "driver": driver, "description": "Berth's containers", "config": config}
    api.post("storage-pools", body=body, limit_s=300)
    if driver == "btrfs":
        use_simple_quotas(socket.parent / "storage-pools" / pool)


def _pool_size_gib(folder: Path) -> int:
    free = shutil.disk_usage(folder).free // _GIB
    if free < _LEAST_GIB + 2:
        raise LocalStackError(
            reason=f"{folder} has {free} GiB left; containers need {_LEAST_GIB} and some to spare",
            cure=f"make room below {folder}",
        )
    return max(_LEAST_GIB, min(_USUAL_GIB, int(free) // 2))


def ensure_profile(api: LxdApi, *, pool: str = POOL, environment: Mapping[str, str]) -> None:
    """Say in the project's default profile what holds for all its containers.

    Args:
        api: of the project.
        pool: for the root disks.
        environment: variables of every command in a container, below a job's own.
    """
    config = {
        **_MARK,
        "boot.autostart": "false",  # a job's container is not brought back by a restart of LXD
        "security.devlxd": "false",
        "security.nesting": "false",
        "security.privileged": "false",
        **{f"environment.{name}": value for name, value in environment.items()},
    }
    devices = {
        "root": {"type": "disk", "path": "/", "pool": pool},
        "eth0": {
            "type": "nic",
            "name": "eth0",
            # Not "network": LXD would then start no container whose name another project has.
            "nictype": "bridged",
            "parent": BRIDGE,
            "security.port_isolation": "true",
        },
    }
    wanted = {"description": "Berth's jobs", "config": config, "devices": devices}
    found = api.get("profiles", "default")
    if any(found[key] != value for key, value in wanted.items()):
        api.put("profiles", "default", body=wanted)


def _foreign(kind: str, name: str) -> LocalStackError:
    return LocalStackError(
        reason=f"LXD has a {kind} {name} that Berth did not make",
        cure="rename or remove it (lxc project list, lxc storage list, lxc network list)",
    )
