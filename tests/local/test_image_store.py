"""Images in a real LXD: the alias leads to the newest, the last three of a name stay."""

from pathlib import Path

import pytest

from chalicelib.local.image_store import has_image, images_of, import_image, remove_old_images
from tests.lxd_site import LxdSite
from tests.tiny_image import tiny_image

pytestmark = [pytest.mark.lxd, pytest.mark.timeout(300)]

NAME = "tiny"


def test_the_last_three_of_a_name_stay_and_others_are_left_alone(
    lxd: LxdSite, tmp_path: Path
) -> None:
    base = images_of(lxd.api, "base")
    made = []
    for number in range(5):
        archive = tmp_path / "image.tar"
        tiny_image(archive, f"recipe-{number}")
        made.append(import_image(lxd.api, archive, name=NAME, recipe=f"recipe-{number}"))
        assert has_image(lxd.api, NAME, f"recipe-{number}")
        remove_old_images(lxd.api, NAME)

    assert [each["fingerprint"] for each in images_of(lxd.api, NAME)] == made[:1:-1]
    assert images_of(lxd.api, "base") == base


def test_an_import_that_was_cut_before_its_alias_is_finished(lxd: LxdSite, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    tiny_image(archive, "cut")
    first = import_image(lxd.api, archive, name=NAME, recipe="cut")
    lxd.api.delete("images", "aliases", NAME)
    assert not has_image(lxd.api, NAME, "cut")

    assert import_image(lxd.api, archive, name=NAME, recipe="cut") == first
    assert has_image(lxd.api, NAME, "cut")
