"""The golden containers of the base image, which jobs' containers copy.

A golden container has been started once, so that its files have the owners of its id range, and is
stopped. `user.berth.ready` says that it is whole; one without it is made anew.
"""

import json
from collections.abc import Mapping
from ipaddress import IPv4Interface

from chalicelib.errors import LocalStackError
from chalicelib.fleet.lxd_api import LxdApi
from chalicelib.fleet.slots import RANGE_SIZE, SlotPlan, golden_name
from chalicelib.local.progress import Progress

__all__ = ["IMAGE", "ensure_golden"]

IMAGE = "base"


def ensure_golden(
    api: LxdApi, progress: Progress, *, gateway: IPv4Interface, recipe: str, slots: int
) -> None:
    """Make the golden containers of the first `slots` slots, unless they are there and current.

    Raises:
        LocalStackError: LXD has too few user ids.
    """
    found = {instance["name"]: instance for instance in api.get("instances", recursion="1")}
    current = {
        name
        for name, instance in found.items()
        if _current(instance, recipe=recipe, gateway=gateway)
    }
    wanted = {golden_name(api.project, IMAGE, slot): slot for slot in range(slots)}
    for name, instance in found.items():
        # Of an older image, and of a time when there were more slots: a job must not get one.
        if instance["config"].get("user.berth.golden") == "true" and name not in current:
            _remove(api, name, instance["status"])
    lacking = {name: slot for name, slot in wanted.items() if name not in current}
    if not lacking:
        return
    with progress.step(f"making {len(lacking)} golden containers"):
        plan = SlotPlan(last_id=_last_id(api, slots), gateway=gateway)
        for name, slot in lacking.items():
            progress.detail(f"{slot + 1} of {slots}")
            _make(api, name, recipe=recipe, config=plan.config(slot))


def _current(instance: Mapping[str, Mapping[str, str]], *, recipe: str, gateway: object) -> bool:
    config = instance.get("config", {})
    return (
        config.get("user.berth.ready") == "true"
        and config.get("user.berth.recipe") == recipe
        and config.get("user.berth.gateway") == str(gateway)
    )


def _last_id(api: LxdApi, slots: int) -> int:
    """Return the end of the ids that LXD may give, which a container without a range shows."""
    name = "berth-probe"
    api.delete("instances", name)
    api.post("instances", body={"name": name, "source": {"type": "none"}})
    config = api.get("instances", name)["config"]
    api.delete("instances", name)
    maps = json.loads(config["volatile.idmap.next"])
    first = max(int(part["Hostid"]) for part in maps)
    last = min(int(part["Hostid"]) + int(part["Maprange"]) for part in maps)
    if last - first < (slots + 1) * RANGE_SIZE:
        raise LocalStackError(
            reason=f"LXD may give {last - first} user ids; {slots} containers need more",
            cure="give root a range of ten million in /etc/subuid and /etc/subgid, restart LXD",
        )
    return last


def _make(api: LxdApi, name: str, *, recipe: str, config: Mapping[str, str]) -> None:
    marks = {
        "user.berth.golden": "true",
        "user.berth.image": IMAGE,
        "user.berth.recipe": recipe,
    }
    source = {"type": "image", "alias": IMAGE}
    body = {"name": name, "source": source, "profiles": ["default"], "config": {**config, **marks}}
    api.post("instances", body=body, limit_s=300)
    headers = {"X-LXD-type": "file", "X-LXD-mode": "0644", "X-LXD-write": "overwrite"}
    gateway = IPv4Interface(config["user.berth.gateway"])
    api.put("instances", name, "state", body={"action": "start"}, limit_s=300)
    api.upload(
        "instances",
        name,
        "files",
        content=f"nameserver {gateway.ip}\n".encode(),
        headers=headers,
        path="/etc/resolv.conf",
    )
    api.put("instances", name, "state", body={"action": "stop", "force": True})
    api.patch("instances", name, body={"config": {"user.berth.ready": "true"}})


def _remove(api: LxdApi, name: str, status: str) -> None:
    if status != "Stopped":
        api.put("instances", name, "state", body={"action": "stop", "force": True})
    api.delete("instances", name)
