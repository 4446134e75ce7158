"""`berth host`: specs by file and by name, on this machine and behind a real sshd."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib.cli.host import WHATS
from chalicelib.cli.main import main
from chalicelib.local.sshd import running_sshd

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a host spec is applied as root")

_SPEC = """\
from chalicelib.hostspec.resources import Directory, File

def spec(folder: str, motto: str = "ship it", times: int = 1, loud: bool = False):
    text = f"{motto}\\n" * times
    return [
        Directory(path=folder),
        File(path=f"{folder}/motto", content=text.upper() if loud else text),
    ]
"""

Berth = Callable[..., tuple[int, str, str]]
"""Runs `berth host …`; returns its status, what it printed, and what it said to people."""


@pytest.fixture
def berth(capfd: pytest.CaptureFixture[str]) -> Berth:
    def run(*words: object) -> tuple[int, str, str]:
        status = main(["host", *map(str, words)])
        said = capfd.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "spec.py"
    file.write_text(_SPEC)
    return file


@pytest.mark.parametrize("name", WHATS)
def test_each_part_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["host", name, "--help"])

    assert ended.value.code == 0
    assert f"./berth host {name}" in capsys.readouterr().out


def test_a_host_is_planned_applied_and_audited(berth: Berth, spec: Path, tmp_path: Path) -> None:
    folder = tmp_path / "srv"
    asked = (spec, "--host", "local", "--set", f"folder={folder}")

    status, planned, _ = berth("plan", *asked)
    assert (status, folder.exists()) == (0, False)
    assert f"+ file {folder}/motto" in planned
    assert "+ship it" in planned
    assert "2 to create" in planned

    status, applied, told = berth("apply", *asked)
    assert (status, (folder / "motto").read_text()) == (0, "ship it\n")
    assert f"+ directory {folder}: created" in applied
    assert "localhost: 2 done" in applied
    assert "applying 2 resources to localhost" in told

    assert berth("audit", *asked)[:2] == (
        0,
        "localhost: nothing to do, 2 resources are as they should be\n",
    )


def test_an_audit_of_what_has_drifted_fails_and_shows_the_difference(
    berth: Berth, spec: Path, tmp_path: Path
) -> None:
    asked = (spec, "--host", "local", "--set", f"folder={tmp_path}/srv")
    berth("apply", *asked)
    (tmp_path / "srv/motto").write_text("ship nothing\n")

    status, said, _ = berth("audit", *asked, "--json")

    assert status == 1
    found = {each["name"]: each for each in json.loads(said)["resources"]}
    assert found[f"file {tmp_path}/srv/motto"]["operation"] == "change"
    assert found[f"file {tmp_path}/srv/motto"]["differences"] == [
        {"field": "content", "before": "ship nothing\n", "after": "ship it\n"}
    ]


def test_a_failed_apply_is_a_status_and_a_document(
    berth: Berth, spec: Path, tmp_path: Path
) -> None:
    asked = (spec, "--host", "local", "--set", f"folder={tmp_path}/no/such")

    status, said, _ = berth("apply", *asked, "--json")

    assert status == 1
    outcomes = [each["outcome"] for each in json.loads(said)["resources"]]
    assert outcomes == ["failed", "skipped"]
    assert "No such file" in json.loads(said)["resources"][0]["tail"]


def test_arguments_of_a_spec_have_its_types(berth: Berth, spec: Path, tmp_path: Path) -> None:
    given = (f"folder={tmp_path}", "motto=go", "times=2", "loud=yes")

    _, said, _ = berth("userdata", spec, *(word for each in given for word in ("--set", each)))

    assert said.startswith("#!/bin/sh\n")
    assert "GO\nGO\n" in said


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ((), "needs --set folder="),
        (("folder=/a", "colour=red"), "there is no argument colour; there are: folder, motto"),
        (("folder=/a", "times=many"), "--set times=many: a number is wanted"),
        (("folder=/a", "loud=7"), "--set loud=7: true or false is wanted"),
        (("folder",), "--set NAME=VALUE"),
        (("folder=a",), "'a' is no plain absolute path"),
    ],
)
def test_an_argument_that_does_not_fit_is_refused(
    berth: Berth, spec: Path, given: tuple[str, ...], why: str
) -> None:
    words = [word for each in given for word in ("--set", each)]

    status, _, said = berth("plan", spec, "--host", "local", *words)

    assert status == 2
    assert why in said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("spec = 7", "int is no resource"),
        ("x = 1", "there is no `spec` in it"),
        ("\nspec = (", ":2: SyntaxError"),
        ("\n\nraise ValueError('no luck')", ":3: ValueError: no luck"),
        ("from chalicelib.hostspec.resources import File\nspec = File(path='x')", "path: 'x'"),
        ("spec = []", ""),
    ],
)
def test_a_file_that_holds_no_spec_is_refused_with_its_line(
    berth: Berth, tmp_path: Path, text: str, why: str
) -> None:
    (tmp_path / "spec.py").write_text(text)

    status, _, said = berth("plan", tmp_path / "spec.py", "--host", "local")

    assert status == (2 if why else 0)
    assert why in said


@pytest.mark.parametrize(
    "host", ["", "a b", "root@", "-oProxyCommand=x", "ftp://x", "u@h:99999999"]
)
def test_a_host_that_is_none_is_refused(berth: Berth, spec: Path, host: str) -> None:
    status, _, said = berth("plan", spec, f"--host={host}", "--set", "folder=/a")

    assert status == 2
    assert "is none of user@address" in said


def test_a_host_behind_ssh_is_known_by_its_key_or_refused(
    berth: Berth, spec: Path, tmp_path: Path
) -> None:
    with running_sshd(tmp_path) as server:
        known = tmp_path / "known_hosts"
        asked = (
            *("audit", spec, "--set", f"folder={tmp_path}/srv"),
            *("--host", f"{server.user}@127.0.0.1:{server.port}"),
            *("--identity", server.folder / "user_ed25519", "--known-hosts", known),
        )

        status, _, said = berth(*asked)
        assert status == 2
        assert f"ssh-keyscan -p {server.port} 127.0.0.1" in said

        lines = [f"[127.0.0.1]:{server.port} {key}" for key in server.host_keys]
        known.write_text("\n".join(lines) + "\n")
        assert berth(*asked)[0] == 1
