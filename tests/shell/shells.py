"""The real shells, and how the tests run a script in them."""

import os
import subprocess
from pathlib import Path

SHELLS = (("dash",), ("bash",), ("busybox", "ash"))
POSIX_AND_BASH = tuple(" ".join(shell) for shell in SHELLS)
_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def run(shell: tuple[str, ...], script: str, cwd: Path | None = None) -> tuple[int, bytes, bytes]:
    """Return exit status, output and errors of the script, fed to the shell as its input file."""
    done = subprocess.run(
        [*shell, "/dev/fd/0"],
        input=script.encode(),
        capture_output=True,
        env=_ENVIRONMENT,
        cwd=cwd,
        check=False,
        timeout=15,
    )
    return done.returncode, done.stdout, done.stderr


def run_file(shell: tuple[str, ...], script: str, file: Path) -> tuple[int, bytes, bytes]:
    """The same, from a file: the script's own standard input is empty."""
    file.write_bytes(script.encode())
    done = subprocess.run(
        [*shell, str(file)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=_ENVIRONMENT,
        check=False,
        timeout=15,
    )
    return done.returncode, done.stdout, done.stderr
