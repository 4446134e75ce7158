"""An attempt's containers in one LXD project: made from golden ones, described, removed.

Making one is two operations on LXD, a copy and a start, and two or three listings of 3 ms. Measured
2026-11-23 on two shared cores, a btrfs loop pool with simple quotas and an image of 14,000 files,
medians of 10, in milliseconds:

    way                                          copy   start   first exec   all
    shared id map                                 271     221           38   527
    isolated, range chosen by LXD                 310    1732           32  2098
    isolated, golden container per range (ours)   270     241           40   560
    the same without a disk limit                 245     205           36   512

`make` alone took 0.44 s (median of 20), removing 0.74 s, of which LXD's forced stop is 0.7 s.
LXD 5.0 cannot use idmapped mounts on kernels that refuse an empty map in its probe (EINVAL from
mount_setattr on 6.18), so it gives every file a new owner when the range changes. LXD walks all
files of a container that it copies: an image of 28,000 files took 0.36 s to copy. A disk limit needs
btrfs quotas; see `local/btrfs.py` for what those cost.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from chalicelib.errors import HostUnreachableError, ImageMissingError
from chalicelib.fleet.health import Room
from chalicelib.fleet.lxd_api import LxdApi
from chalicelib.fleet.protocol import AttemptPlan
from chalicelib.fleet.slots import MOST_SLOTS, SlotPlan, golden_name, hold_slot, taken_ranges
from chalicelib.model import container_name, parse_container_name

__all__ = ["Containers"]

_SLOT_LOCKS = Path("/run/berth/slots")
_INHERITED = {"user.berth.golden": "false", "user.berth.ready": "false"}

Instance = Mapping[str, Any]


class Containers:
    """The containers of attempts in one project of one LXD."""

    def __init__(self, api: LxdApi, *, host: str, project: str) -> None:
        """Remember the LXD; `host` is the name that errors carry."""
        self._api = api
        self._host = host
        self._project = project

    def make(self, plan: AttemptPlan) -> None:
        """Make a running container for the attempt, unless there is one. Hold the job's lock.

        One that exists and does not run was left half-made, and is made anew.

        Raises:
            ImageMissingError: there is no golden container of that image.
            HostUnreachableError: LXD did not answer, or refused, or all slots are taken.
        """
        name = container_name(plan.job, plan.fence)
        found = self._ours(self._list()).get(name)
        if found is not None and found["status"] == "Running":
            return
        if found is not None:
            self.remove(name)
        with self._free_slot(plan.image) as (golden, config):
            self._copy(plan, name, golden=golden, config=config)
        self._switch(name, "start")

    def remove(self, name: str) -> None:
        """Stop and delete a container. Safe to repeat."""
        found = self._api.get("instances", name)
        if found is None:
            return
        if found["status"] != "Stopped":
            try:
                self._switch(name, "stop")
            except HostUnreachableError:
                # It may have stopped all the same: with its disk quota used up, LXD cannot give the
                # folder back to root, says so, and deletes it nevertheless.
                if self.status(name) not in ("Stopped", ""):
                    raise
        self._api.delete("instances", name)

    def attempts(self) -> Sequence[tuple[str, int]]:
        """Return (job, fence) of each container of ours, in whatever state."""
        found = self._api.get("instances", recursion="1") or []
        parsed = (parse_container_name(instance["name"]) for instance in found)
        return [attempt for attempt in parsed if attempt is not None]

    def status(self, name: str) -> str:
        """Return LXD's word for a container's state, or the empty string."""
        found = self._api.get("instances", name)
        return found["status"] if found else ""

    def created_at(self, name: str) -> datetime | None:
        """Return when a container was made, by LXD's clock; None when there is none."""
        found = self._api.get("instances", name)
        return datetime.fromisoformat(found["created_at"]) if found else None

    def rooms(self) -> Sequence[Room]:
        """Return what is left in each storage pool that containers of the project use."""
        found = self._api.get("instances", recursion="1") or []
        pools = {instance["expanded_devices"]["root"]["pool"] for instance in found}
        return [self._room(pool) for pool in sorted(pools)]

    def _room(self, pool: str) -> Room:
        resources = self._api.get("storage-pools", pool, "resources") or {}
        space, inodes = resources.get("space") or {}, resources.get("inodes") or {}
        return Room(
            what="its containers",
            free_bytes=space.get("total", 0) - space.get("used", 0),
            total_bytes=space.get("total", 0),
            free_inodes=inodes.get("total", 0) - inodes.get("used", 0),
            total_inodes=inodes.get("total", 0),
        )

    @contextmanager
    def _free_slot(self, image: str) -> Iterator[tuple[Instance, dict[str, str]]]:
        """Hold a slot that nobody uses; give a golden container and what a copy of it must change.

        A slot without a golden container of its own still works: LXD changes the owners of all
        files at the start, which takes over a second.
        """
        first = self._golden(image, 0, self._list())
        if first is None:
            reason = "there is no golden container of it"
            raise ImageMissingError(host=self._host, image=image, reason=reason)
        plan = SlotPlan.of_golden(first["config"])
        for slot in range(MOST_SLOTS):
            with hold_slot(_SLOT_LOCKS, slot) as held:
                if not held:
                    continue
                # Only now: whoever held the lock before us is seen in this listing.
                instances = self._list()
                if _is_free(plan.ids(slot), instances):
                    own = self._golden(image, slot, instances)
                    yield own or first, {} if own else plan.config(slot)
                    return
        raise HostUnreachableError(host=self._host, reason=f"all {MOST_SLOTS} slots are taken")

    def _golden(self, image: str, slot: int, instances: Sequence[Instance]) -> Instance | None:
        found = self._ours(instances).get(golden_name(self._api.project, image, slot))
        return found if found and found["config"].get("user.berth.ready") == "true" else None

    def _copy(
        self, plan: AttemptPlan, name: str, *, golden: Instance, config: Mapping[str, str]
    ) -> None:
        limits = plan.limits
        root = dict(golden["expanded_devices"]["root"])
        body = {
            "name": name,
            "source": {"type": "copy", "source": golden["name"], "instance_only": True},
            "profiles": golden["profiles"],
            "config": {
                **config,
                **_INHERITED,
                "limits.cpu": str(limits.cpus),
                "limits.memory": f"{limits.memory_mib}MiB",
                "limits.processes": str(limits.processes),
                "user.berth.job": plan.job,
                "user.berth.fence": str(plan.fence),
            },
            "devices": {"root": {**root, "size": f"{limits.disk_gib}GiB"}},
        }
        self._api.post("instances", body=body)

    def _switch(self, name: str, action: str) -> None:
        body = {"action": action, "force": True, "timeout": 30}
        self._api.put("instances", name, "state", body=body)

    def _list(self) -> Sequence[Instance]:
        instances: Sequence[Instance] = self._api.get_everywhere("instances", recursion="1")
        return instances

    def _ours(self, instances: Sequence[Instance]) -> dict[str, Instance]:
        return {
            instance["name"]: instance
            for instance in instances
            if instance["project"] == self._project
        }


def _is_free(ids: range, instances: Sequence[Instance]) -> bool:
    return all(
        taken.stop <= ids.start or ids.stop <= taken.start for taken in taken_ranges(instances)
    )
