"""LXD on this machine, made ready for jobs: daemon, project, pool, network, image, golden containers.

Everything is looked at first and made only if it lacks, so a second run takes under a second and
changes nothing; what Berth did not make is never changed.
"""

from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

from chalicelib.errors import HostUnreachableError, LocalStackError
from chalicelib.fleet.lxd_api import LxdApi
from chalicelib.local import (
    golden,
    image_archive,
    image_store,
    lxd_daemon,
    lxd_network,
    lxd_storage,
)
from chalicelib.local.progress import Progress

__all__ = ["LxdFacts", "ensure_image", "prepare", "remove_project", "shut_down"]

SLOTS = 5
"""Golden containers, one per slot of a 2-core host and one to spare; more are slower to start."""
_MOST_GOLDEN = 16
"""Each takes two seconds to make and 11 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LxdFacts:
    """Where the jobs' LXD is.

    Attributes:
        socket: of its API.
        project: that holds all of ours.
        daemon_started: it was started here, by this run or an earlier one.
    """

    socket: str
    project: str
    daemon_started: bool


def prepare(
    state_dir: Path,
    progress: Progress,
    *,
    project: str = "berth",
    slots: int = SLOTS,
    images: Path | None = None,
) -> LxdFacts:
    """Make LXD ready for jobs, and say where it is. Safe to repeat, and to interrupt.

    Args:
        state_dir: keeps the daemon's record and log, and the image's archive.
        progress: is told of what takes time.
        project: name of the LXD project.
        slots: containers that are to start fast at once; at most 16 get a golden container.
        images: where the image's archive is kept, if not below `state_dir`.

    Raises:
        LocalStackError: this machine cannot do it, or something of somebody else's is in the way.
    """
    lxd_daemon.require_machine()
    state_dir.mkdir(parents=True, exist_ok=True)
    with lxd_daemon.exclusive():
        lxd = lxd_daemon.start(state_dir, progress)
        api = LxdApi(str(lxd.socket), host="this machine", project=project)
        try:
            lxd_storage.ensure_pool(api, lxd.socket)
            lxd_storage.ensure_project(api, project)
            gateway = lxd_network.ensure_bridge(api)
            lxd_network.put_rules(gateway)
            _fill(api, gateway, progress, slots=slots, images=images or state_dir / "images")
        except HostUnreachableError as error:
            raise LocalStackError(
                reason=f"LXD refused: {error.reason}", cure=f"read {state_dir / 'lxd.log'}"
            ) from error
    return LxdFacts(socket=str(lxd.socket), project=project, daemon_started=lxd.started_here)


def _fill(
    api: LxdApi, gateway: IPv4Interface, progress: Progress, *, slots: int, images: Path
) -> None:
    certificates = image_archive.extra_certificates()
    lxd_storage.ensure_profile(api, environment=_environment(certificates))
    recipe = image_archive.recipe(golden.IMAGE, certificates)
    ensure_image(api, golden.IMAGE, progress, folder=images)
    golden.ensure_golden(
        api, progress, gateway=gateway, recipe=recipe, slots=min(slots, _MOST_GOLDEN)
    )


def ensure_image(api: LxdApi, name: str, progress: Progress, *, folder: Path) -> bool:
    """Make an image and import it, unless its recipe's is there; return whether it had to be.

    Args:
        api: of the project that gets it.
        name: of the image.
        progress: is told of what takes time.
        folder: keeps archives.

    Raises:
        NotFoundError: there is no such image.
        LocalStackError: it could not be made.
        HostUnreachableError: LXD did not answer, or refused.
    """
    certificates = image_archive.extra_certificates()
    recipe = image_archive.recipe(name, certificates)
    if image_store.has_image(api, name, recipe):
        return False
    archive = image_archive.archive(name, folder, progress, certificates=certificates)
    with progress.step(f"importing the image {name}"):
        image_store.import_image(api, archive, name=name, recipe=recipe)
    image_store.remove_old_images(api, name)
    return True


def _environment(certificates: object) -> dict[str, str]:
    """Return the variables that make tools with CA lists of their own read the system's.

    Only where the machine has certificates of its own: elsewhere those lists are as good.
    """
    names = ("NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    return dict.fromkeys(names, bundle) if certificates else {}


def shut_down(state_dir: Path) -> bool:
    """Stop the LXD that was started here; return whether it is stopped.

    It stays when it was not started here, or while anything runs in it that is not a job of ours:
    our jobs' containers are stopped, and found again by the sweeper.
    """
    with lxd_daemon.exclusive():
        socket = lxd_daemon.find_socket()
        if socket is None:
            return True
        api = LxdApi(str(socket), host="this machine", project="default")
        instances = api.get_everywhere("instances", recursion="1")
        running = [item for item in instances if item["status"] != "Stopped"]
        if any("user.berth.job" not in item["config"] for item in running):
            return False
        if not lxd_daemon.stop(state_dir):
            return False
        lxd_network.remove_rules()
        return True


def remove_project(socket: str, project: str) -> None:
    """Remove a project of ours with all that is in it. Safe to repeat.

    The pool, the bridge and the rules stay: other stacks on this machine use them.

    Raises:
        LocalStackError: the project is not ours.
        HostUnreachableError: LXD did not answer, or refused.
    """
    api = LxdApi(socket, host="this machine", project=project)
    found = api.get("projects", project)
    if found is None:
        return
    if found["config"].get("user.berth") != "true":
        raise LocalStackError(
            reason=f"Berth did not make the LXD project {project}", cure="remove it by hand"
        )
    for instance in api.get("instances", recursion="1"):
        if instance["status"] != "Stopped":
            body = {"action": "stop", "force": True}
            api.put("instances", instance["name"], "state", body=body)
        api.delete("instances", instance["name"])
    for image in api.get("images", recursion="1"):
        api.delete("images", image["fingerprint"])
    api.delete("projects", project)
