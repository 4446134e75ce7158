"""LXD by HTTPS: a client's certificate, and the server's, which is pinned."""

import base64
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pylxd
import pytest
from pylxd.client import get_session_for_url

from chalicelib.errors import HostKeyError
from chalicelib.local.ports import free_port
from chalicelib.shell import command
from chalicelib.transport.lxd import LxdTarget, LxdTransport
from tests.lxd_site import LxdSite
from tests.transport.lxd_site import lxd_container

pytestmark = [pytest.mark.lxd, pytest.mark.timeout(600)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpsSite:
    """Where LXD listens, the certificate it is known by, and ours, which it trusts."""

    url: str
    server: Path
    ours: tuple[str, str]

    def client(self) -> pylxd.Client:
        """A client that knows the server."""
        session = get_session_for_url(self.url, cert=self.ours, verify=str(self.server))
        session.trust_env = False  # else REQUESTS_CA_BUNDLE is taken for the server's certificate
        return pylxd.Client(self.url, cert=self.ours, session=session)


@contextmanager
def listening(lxd: LxdSite, folder: Path) -> Iterator[HttpsSite]:
    """Let LXD listen on loopback until the end of the block."""
    address = f"127.0.0.1:{free_port()}"
    key, certificate = make_certificate(folder, "client")
    encoded = base64.b64encode(ssl.PEM_cert_to_DER_cert(certificate.read_text())).decode()
    server = folder / "server.crt"
    server.write_text(lxd.api.get()["environment"]["certificate"])
    trust = {"type": "client", "name": "tests", "certificate": encoded}
    before = set(lxd.api.get("certificates"))
    lxd.api.post("certificates", body=trust)
    (added,) = set(lxd.api.get("certificates")) - before
    lxd.api.patch(body={"config": {"core.https_address": address}})
    try:
        yield HttpsSite(url=f"https://{address}", server=server, ours=(str(certificate), str(key)))
    finally:
        lxd.api.patch(body={"config": {"core.https_address": ""}})
        lxd.api.delete("certificates", added.rpartition("/")[2])


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Return a new key and its certificate."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ["-nodes", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *files], check=True, capture_output=True)
    return key, certificate


@pytest.fixture(scope="module")
def https(lxd: LxdSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpsSite]:
    """LXD by HTTPS."""
    with listening(lxd, tmp_path_factory.mktemp("https")) as site:
        yield site


@pytest.fixture(scope="module")
def container(lxd: LxdSite) -> Iterator[str]:
    """The name of a running container."""
    with lxd_container(lxd) as transport:
        yield transport.host


def test_commands_run_with_all_their_streams(
    lxd: LxdSite, https: HttpsSite, container: str
) -> None:
    target = LxdTarget(container=container, lxd=https.client(), project=lxd.facts.project)
    transport = LxdTransport(target)
    content = bytes(range(256)) * 40_000

    result = transport.run(
        command("sh", "-c", "cat; echo err >&2; exit 3"), stdin=content, check=False
    )
    transport.close()

    assert (result.exit_status, result.stderr) == (3, b"err\n")
    assert result.stdout == content


def test_a_server_that_is_another_gets_no_secret(
    lxd: LxdSite, https: HttpsSite, container: str, tmp_path: Path
) -> None:
    """The API's answer came from the right one; the websocket's server is checked all the same."""
    client = https.client()
    _, other = make_certificate(tmp_path, "other")
    target = LxdTarget(container=container, lxd=client, project=lxd.facts.project)
    transport = LxdTransport(target)
    transport.run("true")
    client.api.session.verify = str(other)

    with pytest.raises(HostKeyError):
        transport.run("true")
    transport.close()
