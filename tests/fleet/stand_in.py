"""A supervisor of a dozen lines, for tests of what starts and ends supervisors."""

import io
import zipfile

__all__ = ["stand_in"]

_MAIN = """\
import fcntl, json, os, signal, sys
from pathlib import Path

directory = Path(sys.argv[1])
lock = (directory / "lock").open("w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(0)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
seen = {"environment": dict(os.environ), "session": os.getsid(0), "pid": os.getpid()}
(directory / "seen.part").write_text(json.dumps(seen))
(directory / "seen.part").rename(directory / "seen.json")
print("up", flush=True)
while True:
    signal.pause()
"""


def stand_in() -> bytes:
    """Return a zipapp that locks its directory, notes what it sees, and waits for SIGTERM."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("__main__.py", _MAIN)
    return buffer.getvalue()
