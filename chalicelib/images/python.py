"""The image `python`: Python 3 with headers, virtualenv, pipx and build tools."""

from chalicelib.hostspec import Spec
from chalicelib.hostspec.resources import Packages
from chalicelib.images.image import Image

__all__ = ["IMAGE"]

IMAGE = Image(
    description="Python 3 with headers, virtualenv, pipx and build tools",
    spec=Spec(
        Packages(
            names=(
                "libffi-dev",
                "libpq-dev",
                "libssl-dev",
                "pipx",
                "pkg-config",
                "python3-dev",
                "python3-venv",
                "python3-virtualenv",
                "zlib1g-dev",
            )
        )
    ),
)
