"""Images in a project of LXD: imported, found by name and recipe, the older ones removed.

An image has its name and the hash of its recipe as properties, `berth.image` and `berth.recipe`;
its alias is its name and leads to the newest. What has no such properties is not ours.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from chalicelib.fleet.lxd_api import LxdApi

__all__ = ["KEPT", "has_image", "images_of", "import_image", "remove_old_images"]

_NAME, _RECIPE = "berth.image", "berth.recipe"
KEPT = 3
"""Images of one name that stay: the newest and two to go back to."""


def has_image(api: LxdApi, name: str, recipe: str) -> bool:
    """Return whether the alias leads to the image of this recipe."""
    alias = api.get("images", "aliases", name)
    image = api.get("images", alias["target"]) if alias else None
    return image is not None and image["properties"].get(_RECIPE) == recipe


def images_of(api: LxdApi, name: str) -> list[Mapping[str, Any]]:
    """Return the images of that name as LXD tells them, the newest first."""
    images = [
        image
        for image in api.get("images", recursion="1")
        if image["properties"].get(_NAME) == name
    ]
    return sorted(images, key=lambda image: image["uploaded_at"], reverse=True)


def import_image(api: LxdApi, archive: Path, *, name: str, recipe: str) -> str:
    """Import the archive, point the alias at it, and return its fingerprint. Safe to repeat."""
    headers = {
        "X-LXD-filename": archive.name,
        "X-LXD-properties": urlencode({_NAME: name, _RECIPE: recipe}),
        "Content-Type": "application/octet-stream",
    }
    found = [each for each in images_of(api, name) if each["properties"].get(_RECIPE) == recipe]
    if found:  # an earlier run was interrupted between image and alias
        fingerprint: str = found[0]["fingerprint"]
    else:
        with archive.open("rb") as content:
            operation = api.upload("images", content=content, headers=headers)
        fingerprint = operation["metadata"]["fingerprint"]
    api.delete("images", "aliases", name)
    api.post("images", "aliases", body={"name": name, "target": fingerprint})
    return fingerprint


def remove_old_images(api: LxdApi, name: str) -> None:
    """Remove all but the last three of that name; what was copied from them stays."""
    for image in images_of(api, name)[KEPT:]:
        api.delete("images", image["fingerprint"])
