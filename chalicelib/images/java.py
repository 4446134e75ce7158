"""The image `java`: OpenJDK 17, Maven, Gradle and Ant."""

from chalicelib.hostspec import Spec
from chalicelib.hostspec.resources import Packages
from chalicelib.images.image import Image

__all__ = ["IMAGE"]

IMAGE = Image(
    description="OpenJDK 17, Maven, Gradle and Ant",
    spec=Spec(
        Packages(
            names=(
                "ant",
                "gradle",
                "maven",
                "openjdk-17-jdk-headless",
            )
        )
    ),
)
