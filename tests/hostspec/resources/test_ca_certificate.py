from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import SpecError
from chalicelib.hostspec.resources import CaCertificate
from chalicelib.hostspec.resources.certificates import fingerprint, plain_pem
from chalicelib.shell import command, q, render, script
from chalicelib.transport import LocalTransport, Transport
from tests.hostspec.life import apply_well, live

_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def _made(folder: Path, name: str) -> str:
    options = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    LocalTransport().run(
        command(
            "openssl", "req", options, "-subj", f"/CN={name}", "-days", 30,
            "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem"),
        )
    )  # fmt: skip
    return (folder / f"{name}.pem").read_text()


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_certificate_authority_lives(machine: Transport, tmp_path: Path) -> None:
    first, then = _made(tmp_path, "first"), _made(tmp_path, "then")

    live(
        machine,
        CaCertificate(id="ours.crt", pem=first),
        CaCertificate(id="ours.crt", pem=f"a text\n{then}another\n"),
        drift=[
            q("cp /etc/hosts /usr/local/share/ca-certificates/ours.crt"),
            q("rm /usr/local/share/ca-certificates/ours.crt"),
            q("rm {bundle}", bundle=_BUNDLE),
        ],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_programs_trust_it_as_long_as_it_is_there(machine: Transport, tmp_path: Path) -> None:
    machine.put(_made(tmp_path, "first").encode(), "/srv/first.pem")
    verify = q("openssl verify /srv/first.pem")
    before = machine.run(command("sha256sum", _BUNDLE)).stdout
    try:
        authority = CaCertificate(id="ours", pem=(tmp_path / "first.pem").read_text())
        apply_well(machine, authority)
        assert machine.run(verify, check=False).exit_status == 0

        apply_well(machine, CaCertificate(id="ours", absent=True))
        assert machine.run(verify, check=False).exit_status != 0
        assert machine.run(command("sha256sum", _BUNDLE)).stdout == before
    finally:
        machine.run("rm -f /srv/first.pem")


def test_red_hat_has_its_own_folder_and_program(tmp_path: Path) -> None:
    authority = CaCertificate(id="ours", pem=_made(tmp_path, "first"))

    text = render(script(*authority.actions()), facts={"redhat"})

    assert "/etc/pki/ca-trust/source/anchors/ours.crt" in text
    assert "update-ca-trust extract" in text


def test_a_fingerprint_is_what_openssl_says(tmp_path: Path) -> None:
    pem = _made(tmp_path, "first")
    said = LocalTransport().run(
        command(
            "openssl",
            "x509",
            "-in",
            str(tmp_path / "first.pem"),
            "-noout",
            "-fingerprint",
            "-sha256",
        )
    )

    shown = said.stdout.decode().partition("=")[2].strip().replace(":", "").lower()
    assert fingerprint(pem) == shown
    assert plain_pem(pem) == pem


@given(text=st.text(max_size=100))
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        CaCertificate(id="ours", pem=text)


@pytest.mark.parametrize("name", ["", "-x", "../x", "a b", "a/b"])
def test_what_names_no_file_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match="id"):
        CaCertificate(id=name, absent=True)


def test_two_certificates_are_refused(tmp_path: Path) -> None:
    pem = _made(tmp_path, "first")

    with pytest.raises(SpecError, match="2 certificates"):
        CaCertificate(id="ours", pem=pem + pem)
