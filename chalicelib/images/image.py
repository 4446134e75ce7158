"""What an image is: a name, what is in it as a host spec, and the image it begins from.

Adding an image is adding a file to this package: a module of the image's name with `IMAGE` in it.
"""

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from chalicelib.errors import NotFoundError
from chalicelib.hostspec import Spec

__all__ = ["Image", "find_image", "image_names"]

_NO_IMAGES = {"image"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Image:
    """An image that containers of jobs are copied from.

    Attributes:
        description: for people, in a few words.
        spec: what is in it, beside what its parent has.
        parent: the image that it begins from. Default: `base`. None: an empty Debian.
        emptied: folders whose content is removed at the end.
        files: names of single files that are removed at the end.
    """

    description: str
    spec: Spec
    parent: str | None = "base"
    emptied: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def image_names() -> tuple[str, ...]:
    """Return the names of all images, sorted."""
    package = import_module("chalicelib.images")
    return tuple(sorted({each.name for each in iter_modules(package.__path__)} - _NO_IMAGES))


def find_image(name: str) -> Image:
    """Return an image.

    Raises:
        NotFoundError: there is none of that name; says which there are.
    """
    if name not in image_names():
        known = ", ".join(image_names())
        raise NotFoundError(reason=f"there is no image {name!r}; there are: {known}")
    image: Image = import_module(f"chalicelib.images.{name}").IMAGE
    return image
