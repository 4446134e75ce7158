"""Setting up a real LXD, and what a container of it can reach."""

import io
import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import LocalStackError
from chalicelib.fleet.lxd import LxdHost
from chalicelib.fleet.lxd_api import LxdApi
from chalicelib.fleet.slots import golden_name
from chalicelib.local.lxd import prepare, remove_project, shut_down
from chalicelib.local.progress import Progress
from chalicelib.model import container_name
from tests.fleet.plans import JOB, OTHER, plan_of
from tests.lxd_site import LxdSite

pytestmark = [pytest.mark.lxd, pytest.mark.timeout(300)]

NAME = container_name(JOB, 1)
SIBLING = container_name(OTHER, 1)
CONNECT = (
    "import socket, sys\n"
    "try:\n"
    "    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3).close()\n"
    "    print('reached')\n"
    "except OSError:\n"
    "    print('refused')\n"
)
LISTEN = (
    "import os, socket, sys, time\n"
    "server = socket.create_server(('', int(sys.argv[1])))\n"
    "print('up', flush=True)\n"
    "if sys.argv[1] != '80' and os.fork(): os._exit(0)\n"
    "if sys.argv[1] != '80': os.closerange(0, 3)\n"
    "time.sleep(120)\n"
)
METADATA, ORDINARY = "169.254.169.254", "198.18.7.2"
FOREIGN_BRIDGE = {"ipv4.address": "none", "ipv6.address": "none"}


@pytest.fixture(scope="module")
def containers(lxd: LxdSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LxdSite]:
    """Two running containers of jobs."""
    host = LxdHost(
        host="host-1",
        socket=lxd.facts.socket,
        project=lxd.facts.project,
        state_dir=str(tmp_path_factory.mktemp("host")),
        supervisor=b"",
    )
    try:
        for job in (JOB, OTHER):
            host.make_container(plan_of(job))
        yield lxd
    finally:
        for job, fence in host.attempts():
            host.remove_attempt(job, fence)


def reach(lxd: LxdSite, address: str, port: int) -> str:
    """Return `reached` or `refused`, as the first container finds it."""
    _, said = lxd.run(NAME, "python3", "-c", CONNECT, address, str(port))
    return said.strip()


def addresses(*options: str) -> list[str]:
    """Return the machine's global IPv4 addresses."""
    done = subprocess.run(
        ["ip", "-j", "-4", "address", "show", *options], capture_output=True, text=True, check=True
    )
    found = [entry for link in json.loads(done.stdout) for entry in link["addr_info"]]
    return [entry["local"] for entry in found if entry["scope"] == "global"]


@pytest.fixture
def listener() -> Iterator[int]:
    """Port on which something listens at all of the machine's addresses."""
    with socket.create_server(("", 0)) as server:
        yield server.getsockname()[1]


def test_a_container_reaches_a_package_registry(containers: LxdSite) -> None:
    """By name and with TLS: DNS, NAT and, behind a proxy that opens TLS, its certificate."""
    command = ["pip", "download", "--quiet", "--no-deps", "--dest=/var/tmp/six", "six"]

    status, said = containers.run(NAME, *command)

    assert status == 0, said


def test_a_container_has_its_network_at_once(containers: LxdSite) -> None:
    _, said = containers.run(NAME, "ip", "-br", "-4", "address", "show", "eth0")

    assert said.split()[1] == "UP"
    assert said.split()[2].startswith("10.")


def test_a_container_does_not_reach_the_machine(containers: LxdSite, listener: int) -> None:
    found = {address: reach(containers, address, listener) for address in addresses()}

    assert len(found) >= 2  # the bridge's, and one towards the world
    assert set(found.values()) == {"refused"}


def test_the_listener_can_be_reached_at_all(listener: int) -> None:
    """Else the test above could not fail."""
    for address in addresses():
        socket.create_connection((address, listener), timeout=3).close()


@pytest.fixture
def world() -> Iterator[str]:
    """A machine of its own behind this one: a network namespace. Gives its name.

    It has a metadata service's address and an ordinary one, and listens at port 80 of both.
    """
    name = f"berth-test-{os.getpid()}"
    ip("netns", "add", name)
    try:
        ip("link", "add", "btest0", "type", "veth", "peer", "name", "btest1", "netns", name)
        ip("address", "add", "169.254.169.1/24", "dev", "btest0")
        ip("address", "add", "198.18.7.1/24", "dev", "btest0")
        ip("link", "set", "btest0", "up")
        for device, address in (("btest1", "169.254.169.254/24"), ("btest1", ORDINARY + "/24")):
            ip("-n", name, "address", "add", address, "dev", device)
        ip("-n", name, "link", "set", "btest1", "up")
        ip("-n", name, "route", "add", "default", "via", "198.18.7.1")
        with subprocess.Popen(
            ["ip", "netns", "exec", name, "python3", "-c", LISTEN, "80"], stdout=subprocess.PIPE
        ) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"up\n"
            yield name
            server.kill()
    finally:
        ip("netns", "delete", name)


def ip(*words: str) -> None:
    """Run ip."""
    subprocess.run(["ip", *words], check=True)


def test_a_container_reaches_the_world_but_no_metadata_service(
    containers: LxdSite, world: str
) -> None:
    assert world
    socket.create_connection((METADATA, 80), timeout=3).close()  # this machine may

    assert reach(containers, ORDINARY, 80) == "reached"
    assert reach(containers, METADATA, 80) == "refused"


def test_a_container_does_not_reach_another(containers: LxdSite) -> None:
    containers.run(SIBLING, "python3", "-c", LISTEN, "8000")
    _, said = containers.run(SIBLING, "ip", "-j", "-4", "address", "show", "eth0")
    address = json.loads(said)[0]["addr_info"][0]["local"]

    # This machine may; but for seconds it may look for who had the address before.
    socket.create_connection((address, 8000), timeout=30).close()
    assert reach(containers, address, 8000) == "refused"


def everything(api: LxdApi) -> dict[str, Any]:
    """Return all that LXD and nftables are set up with, but for what other stacks are doing."""
    found: dict[str, Any] = {}
    projects = {item["name"]: item["config"] for item in api.get("projects", recursion="1")}
    for project in sorted(projects):
        if project == api.project or projects[project].get("user.berth") != "true":
            for kind in ("instances", "profiles", "images"):
                found[f"{project} {kind}"] = api.get(kind, recursion="1", project=project)
    for kind in ("storage-pools", "networks"):
        found[kind] = [
            {key: value for key, value in item.items() if key != "used_by"}
            for item in api.get(kind, recursion="1")
        ]
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True)
    tables = re.split("^table ", rules.stdout, flags=re.MULTILINE)
    return {**found, "tables": sorted(table.strip() for table in tables)}


def test_a_second_set_up_changes_nothing(lxd: LxdSite, tmp_path: Path) -> None:
    said = io.StringIO()
    before = everything(lxd.api)

    facts = prepare(tmp_path, Progress(said), project=lxd.facts.project, slots=2)

    assert facts.socket == lxd.facts.socket
    assert everything(lxd.api) == before
    assert said.getvalue() == ""


def test_golden_containers_of_an_older_image_are_removed(lxd: LxdSite, tmp_path: Path) -> None:
    project = lxd.facts.project
    old = golden_name(project, "base", 9)
    source = {"type": "copy", "source": golden_name(project, "base", 1)}
    config = {"user.berth.recipe": "older", "user.berth.golden": "true"}
    body = {"name": old, "source": source, "config": config, "profiles": ["default"]}
    lxd.api.post("instances", body=body)

    prepare(tmp_path, Progress(io.StringIO()), project=project, slots=2)

    names = {instance["name"] for instance in lxd.api.get("instances", recursion="1")}
    assert old not in names
    assert {golden_name(project, "base", slot) for slot in (0, 1)} <= names


def test_a_half_made_golden_container_is_made_anew(lxd: LxdSite, tmp_path: Path) -> None:
    project = lxd.facts.project
    name = golden_name(project, "base", 1)
    lxd.api.patch("instances", name, body={"config": {"user.berth.ready": "false"}})
    lxd.api.put("instances", name, "state", body={"action": "start"})

    prepare(tmp_path, Progress(io.StringIO()), project=project, slots=2)

    made = lxd.api.get("instances", name)
    assert made["config"]["user.berth.ready"] == "true"
    assert made["status"] == "Stopped"


@pytest.fixture
def foreign(lxd: LxdSite) -> Iterator[LxdApi]:
    """Things of somebody else's in LXD's default project and in nftables, and a stopped container."""
    api = LxdApi(lxd.facts.socket, host="this machine", project="default")
    table = "table inet foreign {\n chain c {\n tcp dport 22 accept\n }\n}\n"
    pool = f"foreign-{os.getpid()}"
    api.post("storage-pools", body={"name": pool, "driver": "dir"})
    try:
        api.post("profiles", body={"name": "foreign", "config": {"user.x": "y"}})
        api.post("networks", body={"name": "foreignbr0", "config": FOREIGN_BRIDGE})
        root = {"type": "disk", "path": "/", "pool": pool}
        body = {"name": "foreign", "source": {"type": "none"}, "devices": {"root": root}}
        api.post("instances", body=body)
        subprocess.run(["nft", "-f", "-"], input=table, text=True, check=True)
        yield api
    finally:
        subprocess.run(["nft", "delete", "table", "inet", "foreign"], check=False)
        for path in (("instances", "foreign"), ("profiles", "foreign"), ("networks", "foreignbr0")):
            api.delete(*path)
        api.delete("storage-pools", pool)


def test_setting_up_leaves_what_is_not_ours(foreign: LxdApi, tmp_path: Path) -> None:
    project = f"berth-test-{os.getpid()}-more"
    images = Path(__file__).resolve().parents[2] / ".berth/images"
    before = everything(foreign)

    facts = prepare(tmp_path, Progress(io.StringIO()), project=project, slots=1, images=images)
    made = everything(foreign)
    remove_project(facts.socket, project)

    assert made == before
    assert foreign.get("projects", project) is None


def test_a_project_that_berth_did_not_make_is_neither_used_nor_removed(
    lxd: LxdSite, tmp_path: Path
) -> None:
    name = f"foreign-{os.getpid()}"
    lxd.api.post("projects", body={"name": name})
    try:
        with pytest.raises(LocalStackError, match=name):
            prepare(tmp_path, Progress(io.StringIO()), project=name)
        with pytest.raises(LocalStackError, match=name):
            remove_project(lxd.facts.socket, name)
    finally:
        assert lxd.api.delete("projects", name)


def test_an_lxd_that_was_not_started_here_goes_on(lxd: LxdSite, tmp_path: Path) -> None:
    stopped = shut_down(tmp_path)

    assert not stopped
    assert lxd.api.get("projects", lxd.facts.project)
