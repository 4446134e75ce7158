import io
import os
import subprocess
from pathlib import Path

import pytest

from chalicelib.errors import LocalStackError
from chalicelib.local import base_image
from chalicelib.local.base_image import archive, recipe
from chalicelib.local.progress import Progress

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
    places = [place for place, suites in base_image._sources(text) if "bookworm" in suites]

    assert places == ["http://mirror.invalid/debian"]


@pytest.mark.parametrize("text", ["", "\n\n", "Types deb\n", "deb\n", "URIs:\nSuites: x"])
def test_odd_files_of_apts_have_no_mirror(text: str) -> None:
    assert list(base_image._sources(text)) == []


def test_the_recipe_changes_with_the_machines_certificates() -> None:
    assert recipe({}) == recipe({})
    assert recipe({}) != recipe({"proxy.crt": "PEM"})


def test_an_archive_of_the_recipe_is_not_made_again(tmp_path: Path) -> None:
    there = tmp_path / f"base-{recipe({})}.tar"
    there.write_bytes(b"archive")
    said = io.StringIO()

    found = archive(tmp_path, Progress(said), certificates={})

    assert found == there
    assert found.read_bytes() == b"archive"
    assert said.getvalue() == ""


def test_what_an_interrupted_run_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"base-{recipe({})}.tar").touch()
    half = tmp_path / "build-abc/rootfs/usr"
    half.mkdir(parents=True)
    (half / "file").touch()

    archive(tmp_path, Progress(io.StringIO()), certificates={})

    assert not (tmp_path / "build-abc").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_what_an_interrupted_run_left_mounted_is_unmounted(tmp_path: Path) -> None:
    (tmp_path / f"base-{recipe({})}.tar").touch()
    mounted = tmp_path / "build-abc/rootfs/proc"
    mounted.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", mounted], check=True)

    archive(tmp_path, Progress(io.StringIO()), certificates={})

    assert not (tmp_path / "build-abc").exists()


def test_a_program_that_fails_is_quoted_with_its_last_words() -> None:
    with pytest.raises(LocalStackError) as caught:
        base_image._run(["ls", "/no such folder"], Progress(io.StringIO()))

    assert "ls failed:" in caught.value.reason
    assert "no such folder" in caught.value.reason
