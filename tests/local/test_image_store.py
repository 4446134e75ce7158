"""Images in a real LXD: the alias leads to the newest, the last three of a name stay."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from chalicelib.local.image_store import has_image, images_of, import_image, remove_old_images
from tests.lxd_site import LxdSite

pytestmark = [pytest.mark.lxd, pytest.mark.timeout(300)]

NAME = "tiny"


def _archive(folder: Path, text: str) -> Path:
    """Make the smallest image that LXD takes."""
    path = folder / f"{text}.tar"
    metadata = json.dumps({"architecture": "x86_64", "creation_date": 1, "properties": {}})
    with tarfile.open(path, "w") as archive:
        for name, content in (("metadata.yaml", metadata), ("rootfs/motto", text)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    return path


def test_the_last_three_of_a_name_stay_and_others_are_left_alone(
    lxd: LxdSite, tmp_path: Path
) -> None:
    base = images_of(lxd.api, "base")
    made = []
    for number in range(5):
        archive = _archive(tmp_path, f"recipe-{number}")
        made.append(import_image(lxd.api, archive, name=NAME, recipe=f"recipe-{number}"))
        assert has_image(lxd.api, NAME, f"recipe-{number}")
        remove_old_images(lxd.api, NAME)

    assert [each["fingerprint"] for each in images_of(lxd.api, NAME)] == made[:1:-1]
    assert images_of(lxd.api, "base") == base


def test_an_import_that_was_cut_before_its_alias_is_finished(lxd: LxdSite, tmp_path: Path) -> None:
    archive = _archive(tmp_path, "cut")
    first = import_image(lxd.api, archive, name=NAME, recipe="cut")
    lxd.api.delete("images", "aliases", NAME)
    assert not has_image(lxd.api, NAME, "cut")

    assert import_image(lxd.api, archive, name=NAME, recipe="cut") == first
    assert has_image(lxd.api, NAME, "cut")
