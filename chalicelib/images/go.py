"""The image `go`: Go."""

from chalicelib.hostspec import Spec
from chalicelib.hostspec.resources import Packages
from chalicelib.images.image import Image

__all__ = ["IMAGE"]

IMAGE = Image(
    description="Go",
    spec=Spec(
        Packages(
            names=(
                "golang",
                "pkg-config",
            )
        )
    ),
)
