"""How apk installs, holds and removes packages.

What is wanted of a host is in /etc/apk/world; a version there is a hold.
"""

from collections.abc import Sequence

from chalicelib.shell import (
    Node,
    all_of,
    any_of,
    assign,
    command,
    duplicate,
    env,
    exit_,
    for_each,
    is_not_empty,
    join,
    output,
    pipe,
    println,
    redirect,
    ref,
    script,
    split,
    stderr_to,
    when,
    write_to,
)

__all__ = ["hold", "install", "prepare", "remove", "unhold"]

_LOCK_WAIT_S = 300
_NULL = "/dev/null"
_VERSION = """
index($0, ENVIRON["berth_name"] "-") == 1 { print substr($0, length(ENVIRON["berth_name"]) + 2) }
"""


def _apk(*words: object) -> Node:
    return command("apk", "--no-progress", "--wait", _LOCK_WAIT_S, words)


def prepare(wanted: Sequence[str]) -> Node:  # noqa: ARG001 - as apt's
    """Return what an install that was cut short has left: apk mends it."""
    return _apk("fix", "--quiet")


def install(plain: Sequence[str], pinned: Sequence[str]) -> Node:
    """Return the install of packages in any version, those that are there stay; and of pinned ones.

    It is tried again with fresh lists.
    """
    wanted = [*pinned, *plain]
    return any_of(_apk("add", wanted), _apk("add", "--update-cache", wanted))


def hold(names: Sequence[str]) -> Node:
    """Return the holding of packages in the versions that they have."""
    listed = command("apk", "info", "-e", "-v", ref("package"))
    version = assign("version", output(_version_in(listed)))
    pinned = join(ref("package"), "=", ref("version", fail_if_empty="it is not there"))
    return for_each("package", names, all_of(version, _apk("add", pinned)))


def _version_in(listed: Node) -> Node:
    return pipe(listed, env(command("awk", _VERSION), berth_name=ref("package")))


def unhold(names: Sequence[str]) -> Node:
    """Return the release of packages that may be held; those that are not there are left alone."""
    return for_each("package", names, when(_is_there(ref("package")), _apk("add", ref("package"))))


def _is_there(name: object) -> Node:
    return redirect(command("apk", "info", "-e", name), write_to(_NULL), stderr_to(_NULL))


def remove(names: Sequence[str], *, purge: bool) -> Node:
    """Return the removal of packages that may be there; an error where others need them."""
    # Of a name that apk has never heard of it says so, and then removes none of the others.
    listed = when(
        _is_there(ref("package")), assign("there", join(ref("there"), " ", ref("package")))
    )
    deleted = _apk("del", ["--purge"] if purge else [], split(ref("there")))
    # Of one that others need it only says so, and takes it out of the world.
    refused = redirect(println(ref("package"), "is needed by others"), duplicate(1, 2))
    stayed = when(_is_there(ref("package")), refused, exit_(1))
    removed = script(any_of(deleted, exit_(1)), for_each("package", names, stayed))
    return script(
        assign("there", ""),
        for_each("package", names, listed),
        when(is_not_empty(ref("there")), removed),
    )
