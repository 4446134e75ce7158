"""Git over HTTP on loopback: `git http-backend`, as a forge has it."""

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

_BACKEND = "/usr/lib/git-core/git-http-backend"


class GitServer:
    """Serves every repository below `root` for reading."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.requests = 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.git = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Return the base URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    git: GitServer


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        """Answer ref advertisements."""
        self._run(b"")

    def do_POST(self) -> None:
        """Answer fetches."""
        self._run(self.rfile.read(int(self.headers["Content-Length"])))

    def _run(self, body: bytes) -> None:
        assert isinstance(self.server, _Server)
        git = self.server.git
        git.requests += 1
        url = urlsplit(self.path)
        environment = {
            "PATH": os.defpath,
            "GIT_PROJECT_ROOT": str(git.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": url.path,
            "QUERY_STRING": url.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "CONTENT_LENGTH": str(len(body)),
        }
        answer = subprocess.run(
            [_BACKEND], input=body, env=environment, capture_output=True, check=False
        ).stdout
        head, _, payload = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200 OK").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)
