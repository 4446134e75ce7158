"""The words by which one resource provides what another wants. No other module makes them up."""

import posixpath

__all__ = [
    "filesystem",
    "group",
    "lxd",
    "mount",
    "package",
    "path",
    "removed_group",
    "staying_user",
    "under",
    "unit",
    "user",
]


def path(place: str) -> str:
    """Return the name of what is at a path."""
    return f"path {place}"


def mount(place: str) -> str:
    """Return the name of a mount at a path."""
    return f"mount {place}"


def filesystem(source: str) -> str:
    """Return the name of a filesystem, by its device or as fstab(5) says it: `LABEL=data`."""
    return f"filesystem on {source}"


def user(name: str) -> str:
    """Return the name of a user."""
    return f"user {name}"


def removed_group() -> str:
    """Return the name that all groups have that are to be removed."""
    return "removed group"


def staying_user() -> str:
    """Return the name that all users have who are not to be removed."""
    return "staying user"


def group(name: str) -> str:
    """Return the name of a group of users."""
    return f"group {name}"


def lxd(collection: str, name: str) -> str:
    """Return the name of an object of LXD, by the path of its kind in the API."""
    return f"lxd {collection} {name}"


def unit(name: str) -> str:
    """Return the name of a systemd unit, with its ending."""
    return f"unit {name}"


def package(name: str) -> str:
    """Return the name of a package."""
    return f"package {name}"


def under(place: str) -> tuple[str, ...]:
    """Return all that has to be there before something is put at a path: folders, mounts.

    >>> under("/srv/app/page")
    ('path /srv/app', 'mount /srv/app', 'path /srv', 'mount /srv')
    """
    wanted = []
    while (place := posixpath.dirname(place)) not in {"/", ""}:
        wanted += [path(place), mount(place)]
    return tuple(wanted)
