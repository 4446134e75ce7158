"""A spec for machines that cannot be asked: what cloud-init runs at first boot, what bakes an image.

Both do everything that the spec says, whatever is there: actions are right for any state.
"""

import gzip
from collections.abc import Sequence

from chalicelib.errors import SpecError
from chalicelib.hostspec.plan import everything
from chalicelib.hostspec.script import unattended_script
from chalicelib.hostspec.spec import Spec
from chalicelib.hostspec.system import DEBIAN, System
from chalicelib.shell import Node, command, explain, is_directory, q, render, script, when

__all__ = ["USER_DATA_LIMIT_BYTES", "bake_script", "user_data"]

USER_DATA_LIMIT_BYTES = 16 * 1024
"""EC2's limit before base64 (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html)."""


def user_data(spec: Spec, system: System = DEBIAN) -> bytes:
    """Return the user data that makes a new EC2 instance what the spec says, at its first boot.

    A shell script, which cloud-init runs as root and whose output it keeps in
    `/var/log/cloud-init-output.log`. Compressed where that is needed; cloud-init unpacks it.

    Args:
        spec: what the host must look like.
        system: what its image runs. Default: Debian 12.

    Raises:
        SpecError: it holds a secret, which everybody on the instance and whoever may describe it
            could read; or it is too large even when compressed.
        ShellError: a resource has no way for that system.
    """
    node = unattended_script(everything(spec, system))
    text = render(node, facts=system.facts)
    if text != explain(node, facts=system.facts):
        reason = "user data can be read by all programs of the instance, and must hold no secret"
        raise SpecError(reason=f"{reason}: apply what needs one once the host is up")
    plain = f"#!/bin/sh\n{text}\n".encode()
    if len(plain) <= USER_DATA_LIMIT_BYTES:
        return plain
    packed = gzip.compress(plain, mtime=0)
    if len(packed) > USER_DATA_LIMIT_BYTES:
        reason = f"user data has {len(packed)} bytes when compressed, EC2 takes 16384"
        raise SpecError(reason=f"{reason}: bake an image, or download large files")
    return packed


def bake_script(
    spec: Spec,
    system: System = DEBIAN,
    *,
    emptied: Sequence[str] = (),
    removed: Sequence[str] = (),
) -> Node:
    """Return the script that makes a machine into a template: the spec, then nothing of its own.

    What must differ between the machines made of it is forgotten: machine id, SSH host keys,
    cloud-init's memory, logs. So are package caches. Run it as root on the machine that the image is
    taken of, as the last thing; a `Secret` in the spec stays in the image, so there should be none.

    Args:
        spec: what is in the template.
        system: what it runs. Default: Debian 12.
        emptied: more folders whose content is removed, whatever it is.
        removed: more files that are removed.
    """
    return script(
        unattended_script(everything(spec, system)),
        when(is_directory("/var/lib/cloud"), q("cloud-init clean --logs")),
        *(_without_files(folder, names) for folder, names in _OWN.items()),
        *(
            when(is_directory(each), command("find", each, "-mindepth", 1, "-delete"))
            for each in emptied
        ),
        *(command("rm", "-f", "--", each) for each in removed),
        q("truncate -s 0 /etc/machine-id"),
        q("rm -f /var/lib/dbus/machine-id"),
    )


_OWN = {
    "/etc/ssh": "ssh_host_*",
    "/var/log": "*",
    "/var/lib/apt/lists": "*",
    "/var/cache/apt": "*",
    "/var/cache/dnf": "*",
    "/var/cache/apk": "*",
    "/var/cache/ldconfig": "*",
    "/var/lib/berth/hostspec": "*",
}
"""Folders and the names of files in them that a template must not have."""


def _without_files(folder: str, names: str) -> Node:
    remove = command("find", folder, "-type", "f", "-name", names, "-delete")
    return when(is_directory(folder), remove)
