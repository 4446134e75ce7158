import io
import os
import subprocess
from pathlib import Path

import pytest

from chalicelib.errors import LocalStackError
from chalicelib.images import image_names
from chalicelib.local import image_archive
from chalicelib.local.image_archive import archive, extra_certificates, recipe
from chalicelib.local.image_store import images_of
from chalicelib.local.lxd import ensure_image
from chalicelib.local.places import ROOT
from chalicelib.local.progress import Progress
from chalicelib.shell import q
from chalicelib.transport import LocalTransport
from tests.lxd_site import LxdSite

ONE_LINE = """\
# deb http://comment.invalid/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.invalid/debian bookworm main
deb-src http://source.invalid/debian bookworm main
"""
STANZAS = """\
Types: deb-src
URIs: http://source.invalid/debian
Suites: bookworm

Types: deb deb-src
# a comment: with a colon
URIs: http://mirror.invalid/debian http://other.invalid/debian
Suites: bookworm bookworm-updates
Components: main
"""


@pytest.mark.parametrize("text", [ONE_LINE, STANZAS])
def test_the_mirror_is_read_from_both_of_apts_formats(text: str) -> None:
    places = [place for place, suites in image_archive._sources(text) if "bookworm" in suites]

    assert places == ["http://mirror.invalid/debian"]


@pytest.mark.parametrize("text", ["", "\n\n", "Types deb\n", "deb\n", "URIs:\nSuites: x"])
def test_odd_files_of_apts_have_no_mirror(text: str) -> None:
    assert list(image_archive._sources(text)) == []


def test_the_recipe_changes_with_the_machines_certificates(tmp_path: Path) -> None:
    making = q(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=proxy"
        " -keyout {key} -out {pem}",
        key=tmp_path / "key",
        pem=tmp_path / "pem",
    )
    LocalTransport().run(making)
    certificates = {"proxy.crt": (tmp_path / "pem").read_text()}

    for name in ("base", "python"):
        assert recipe(name, {}) == recipe(name, {})
        assert recipe(name, {}) != recipe(name, certificates)


def test_each_image_has_a_recipe_of_its_own() -> None:
    assert len({recipe(name, {}) for name in image_names()}) == len(image_names())


@pytest.mark.lxd
@pytest.mark.timeout(600)
def test_an_image_begins_from_its_parent_and_has_what_its_spec_says(
    lxd: LxdSite, tmp_path: Path
) -> None:
    """What a test of the whole would cost for each language, one shows for all."""
    for found in (ROOT / ".berth/images").glob("base-*.tar"):
        (tmp_path / found.name).symlink_to(found)

    assert ensure_image(lxd.api, "python", Progress(io.StringIO()), folder=tmp_path)
    assert not ensure_image(lxd.api, "python", Progress(io.StringIO()), folder=tmp_path)

    image = images_of(lxd.api, "python")[0]
    assert image["properties"]["berth.recipe"] == recipe("python", extra_certificates())
    name = "image-of-python"
    lxd.api.post("instances", body={"name": name, "source": {"type": "image", "alias": "python"}})
    try:
        lxd.api.put("instances", name, "state", body={"action": "start"})
        status, said = lxd.run(name, "python3-config", "--includes")
        assert (status, "python3.11" in said) == (0, True)
        assert lxd.run(name, "test", "-e", "/usr/sbin/policy-rc.d")[0] == 1
        assert lxd.run(name, "id", "circleci")[0] == 0
    finally:
        lxd.api.put("instances", name, "state", body={"action": "stop", "force": True})
        lxd.api.delete("instances", name)


def test_an_archive_of_the_recipe_is_not_made_again(tmp_path: Path) -> None:
    there = tmp_path / f"base-{recipe('base', {})}.tar"
    there.write_bytes(b"archive")
    said = io.StringIO()

    found = archive("base", tmp_path, Progress(said), certificates={})

    assert found == there
    assert found.read_bytes() == b"archive"
    assert said.getvalue() == ""


def test_what_an_interrupted_run_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"base-{recipe('base', {})}.tar").touch()
    half = tmp_path / "build-abc/rootfs/usr"
    half.mkdir(parents=True)
    (half / "file").touch()

    archive("base", tmp_path, Progress(io.StringIO()), certificates={})

    assert not (tmp_path / "build-abc").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_what_an_interrupted_run_left_mounted_is_unmounted(tmp_path: Path) -> None:
    (tmp_path / f"base-{recipe('base', {})}.tar").touch()
    mounted = tmp_path / "build-abc/rootfs/proc"
    mounted.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", mounted], check=True)

    archive("base", tmp_path, Progress(io.StringIO()), certificates={})

    assert not (tmp_path / "build-abc").exists()


def test_a_program_that_fails_is_quoted_with_its_last_words() -> None:
    with pytest.raises(LocalStackError) as caught:
        image_archive._run(["ls", "/no such folder"], Progress(io.StringIO()))

    assert "ls failed:" in caught.value.reason
    assert "no such folder" in caught.value.reason
