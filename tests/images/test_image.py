import doctest

import pytest

from chalicelib import images
from chalicelib.errors import NotFoundError
from chalicelib.hostspec import everything
from chalicelib.hostspec.script import unattended_script
from chalicelib.hostspec.system import DEBIAN
from chalicelib.images import find_image, image_names
from chalicelib.shell import explain, render


def test_the_examples_are_true() -> None:
    assert doctest.testmod(images).failed == 0


def test_there_are_languages_and_databases() -> None:
    assert set(image_names()) >= {"base", "go", "java", "node", "python", "ruby", "services"}


@pytest.mark.parametrize("name", image_names())
def test_each_image_is_a_spec_without_secrets_that_begins_from_one(name: str) -> None:
    image = find_image(name)

    making = unattended_script(everything(image.spec, DEBIAN))

    assert image.description
    assert image.parent is None or image.parent in image_names()
    assert render(making, facts=DEBIAN.facts) == explain(making, facts=DEBIAN.facts)


@pytest.mark.parametrize("name", ["", "cobol", "image", "__init__", "../base"])
def test_an_unknown_image_is_said_with_those_there_are(name: str) -> None:
    with pytest.raises(NotFoundError, match="there are: base, go, java"):
        find_image(name)
