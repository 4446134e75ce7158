"""The image `services`: PostgreSQL, MariaDB and Redis, started with the container."""

from chalicelib.hostspec import Spec
from chalicelib.hostspec.resources import Packages
from chalicelib.images.image import Image

__all__ = ["IMAGE"]

IMAGE = Image(
    description="PostgreSQL, MariaDB and Redis, started with the container",
    spec=Spec(
        Packages(
            names=(
                "mariadb-server",
                "postgresql",
                "postgresql-contrib",
                "redis-server",
            )
        )
    ),
)
