"""The image `node`: Node.js with npm, and what native modules are built with."""

from chalicelib.hostspec import Spec
from chalicelib.hostspec.resources import Packages
from chalicelib.images.image import Image

__all__ = ["IMAGE"]

IMAGE = Image(
    description="Node.js with npm, and what native modules are built with",
    spec=Spec(
        Packages(
            names=(
                "node-gyp",
                "nodejs",
                "npm",
                "pkg-config",
            )
        )
    ),
)
