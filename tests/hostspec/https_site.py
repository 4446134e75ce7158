"""A server of HTTPS on loopback, with a certificate of its own, for what hosts fetch."""

import functools
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from chalicelib.shell import q
from chalicelib.transport import LocalTransport, Transport

__all__ = ["https_site"]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def https_site(folder: Path) -> Iterator[tuple[str, Transport]]:
    """Serve a folder; give the URL, and this machine as a host that trusts the certificate."""
    key, certificate = folder.parent / "key.pem", folder.parent / "certificate.pem"
    making = q(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        " -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout {key} -out {certificate}",
        key=key,
        certificate=certificate,
    )
    LocalTransport().run(making)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        trusting = LocalTransport(environment={"CURL_CA_BUNDLE": str(certificate)})
        try:
            yield f"https://localhost:{server.server_port}", trusting
        finally:
            server.shutdown()
            thread.join()
