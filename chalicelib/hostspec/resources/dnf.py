"""How dnf installs, holds and removes packages.

dnf fetches the lists of a repository by itself when they are old or the repository has changed.
"""

from collections.abc import Sequence

from chalicelib.hostspec.resources.package_facts import VERSIONLOCK
from chalicelib.shell import (
    Node,
    all_of,
    any_of,
    assign,
    command,
    for_each,
    is_nonempty_file,
    is_not_empty,
    join,
    q,
    redirect,
    ref,
    script,
    split,
    stderr_to,
    unless,
    when,
    write_to,
)

__all__ = ["hold", "install", "prepare", "remove", "unhold"]

_NULL = "/dev/null"
_PLUGIN = "dnf-command(versionlock)"


def _dnf(*words: object) -> Node:
    return command("dnf", "-q", "-y", "--setopt=install_weak_deps=False", words)


def _is_there(name: object) -> Node:
    return redirect(command("rpm", "-q", "--", name), write_to(_NULL))


def prepare(wanted: Sequence[str]) -> Node:  # noqa: ARG001 - as apt's
    """Return nothing to do: rpm and dnf wait for each other's locks and recover by themselves."""
    return q("true")


def install(plain: Sequence[str], pinned: Sequence[str]) -> Node:
    """Return the install of packages in any version, those that are there stay; and of pinned ones."""
    steps = [_install(each.replace("=", "-", 1)) for each in pinned]
    if plain:
        # "install" of one that is there would upgrade it.
        missing = join(ref("missing", if_unset=""), " ", ref("package"))
        looked = for_each(
            "package", plain, unless(_is_there(ref("package")), assign("missing", missing))
        )
        wanted = split(ref("missing"))
        found = script(
            assign("missing", ""), looked, when(is_not_empty(ref("missing")), _install(wanted))
        )
        steps.append(found)
    return script(all_of(*steps)) if pinned and plain else script(*steps)


def _install(wanted: object) -> Node:
    """Return the install, tried again with fresh lists: dnf trusts its own for two days."""
    return any_of(_dnf("install", wanted), _dnf("--refresh", "install", wanted))


def hold(names: Sequence[str]) -> Node:
    """Return the holding of packages in the versions that they have, by dnf's plugin for that."""
    known = redirect(q("dnf -q versionlock list"), write_to(_NULL), stderr_to(_NULL))
    return script(
        any_of(known, _dnf("install", _PLUGIN)),
        command("dnf", "-q", "versionlock", "add", names),
    )


def unhold(names: Sequence[str]) -> Node:
    """Return the release of packages that may be held."""
    # Its status says whether there was something to release.
    released = any_of(command("dnf", "-q", "versionlock", "delete", names), "true")
    return when(
        is_nonempty_file(VERSIONLOCK), redirect(released, write_to(_NULL), stderr_to(_NULL))
    )


def remove(names: Sequence[str], *, purge: bool) -> Node:  # noqa: ARG001 - rpm has no other way
    """Return the removal of packages that may be there; rpm refuses where others need them."""
    there = join(ref("there"), " ", ref("package"))
    return script(
        assign("there", ""),
        for_each("package", names, when(_is_there(ref("package")), assign("there", there))),
        when(is_not_empty(ref("there")), command("rpm", "-e", "--", split(ref("there")))),
    )
