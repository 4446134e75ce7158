"""The image `java`: OpenJDK 17, Maven, Gradle and Ant."""

from chalicelib.hostspec import Spec
from chalicelib.hostspec.resources import Directory, Packages
from chalicelib.images.image import Image

__all__ = ["IMAGE"]

_PAGES = Directory(path="/usr/share/man/man1")
"""The JDK's alternatives link into it, and fail where it is missing."""

IMAGE = Image(
    description="OpenJDK 17, Maven, Gradle and Ant",
    spec=Spec(
        _PAGES,
        Packages(names=("ant", "gradle", "maven", "openjdk-17-jdk-headless"), needs=(_PAGES.name,)),
    ),
)
