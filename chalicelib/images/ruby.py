"""The image `ruby`: Ruby with Bundler, and what gems are built with."""

from chalicelib.hostspec import Spec
from chalicelib.hostspec.resources import Packages
from chalicelib.images.image import Image

__all__ = ["IMAGE"]

IMAGE = Image(
    description="Ruby with Bundler, and what gems are built with",
    spec=Spec(
        Packages(
            names=(
                "libpq-dev",
                "libssl-dev",
                "libyaml-dev",
                "pkg-config",
                "ruby-bundler",
                "ruby-full",
                "zlib1g-dev",
            )
        )
    ),
)
