"""User data and image scripts, run as a new machine would run them."""

import gzip
import hashlib
from pathlib import Path

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Spec, audit
from chalicelib.hostspec.resources import Directory, File, Link
from chalicelib.hostspec.system import DEBIAN
from chalicelib.hostspec.userdata import USER_DATA_LIMIT_BYTES, bake_script, user_data
from chalicelib.shell import Secret, command, q, render
from chalicelib.transport import Transport
from tests.hostspec.steps import Step


def _run(here: Transport, data: bytes, folder: Path) -> tuple[int, str]:
    script = folder / "user-data"
    script.write_bytes(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    result = here.run(command("sh", script), check=False)
    return result.exit_status, result.stdout.decode()


def test_user_data_makes_a_machine_what_the_spec_says_also_twice(
    here: Transport, tmp_path: Path
) -> None:
    (tmp_path / "old").touch()
    spec = Spec(
        Directory(path=f"{tmp_path}/srv"),
        File(path=f"{tmp_path}/srv/a", content="a\n"),
        Link(path=f"{tmp_path}/link", target=f"{tmp_path}/srv"),
        File(path=f"{tmp_path}/old", absent=True),
    )

    for _ in range(2):
        status, said = _run(here, user_data(spec), tmp_path)

        assert status == 0
        assert f"berth: create file {tmp_path}/srv/a\n" in said
        assert audit(spec, here).empty


def test_user_data_stops_at_the_first_failure_with_its_status(
    here: Transport, tmp_path: Path
) -> None:
    bad = Step(path=f"{tmp_path}/bad", first=(q("sh -c 'exit 7'"),))

    status, said = _run(here, user_data(Spec(bad, Step(path=f"{tmp_path}/next"))), tmp_path)

    assert (status, said.splitlines()[-1]) == (7, "berth: create step bad")
    assert not (tmp_path / "next").exists()


def test_large_user_data_is_compressed_and_too_large_is_refused(
    here: Transport, tmp_path: Path
) -> None:
    spec = Spec(File(path=f"{tmp_path}/big", content="again and again\n" * 4000))

    data = user_data(spec)

    assert len(data) <= USER_DATA_LIMIT_BYTES
    assert _run(here, data, tmp_path)[0] == 0
    assert audit(spec, here).empty
    noise = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(1000))
    with pytest.raises(SpecError, match="EC2 takes 16384: bake an image"):
        user_data(Spec(File(path="/a", content=noise)))


def test_user_data_with_a_secret_is_refused() -> None:
    with pytest.raises(SpecError, match="must hold no secret"):
        user_data(Spec(File(path="/a", content=Secret("swordfish"))))


def test_a_baked_machine_forgets_what_must_differ() -> None:
    text = render(bake_script(Spec(File(path="/a")), DEBIAN), facts=DEBIAN.facts)

    assert text.index("create file /a") < text.index("/etc/machine-id")
    for gone in ("ssh_host_*", "cloud-init clean", "/var/log"):
        assert gone in text
