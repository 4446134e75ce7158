"""Runs git without the user's configuration, hooks or prompts, and without locks on what it reads."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from chalicelib.errors import LocalStackError
from chalicelib.shell import command
from chalicelib.transport import LocalTransport, Result

__all__ = ["arguments", "environment", "run"]

_NO_PROGRAM = 127
# Not the user's: a build must not depend on it. Repositories of other users may be read.
_SETTINGS = {
    "safe.directory": "*",
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.autocrlf": "false",
    "gc.auto": "0",  # commits that no branch holds any more must stay: old pipelines name them
    "uploadpack.allowAnySHA1InWant": "true",
    "init.defaultBranch": "main",
    "advice.addEmbeddedRepo": "false",
}


def arguments(repository: Path, *words: str) -> list[str]:
    """Return the command line of git with those words, in that repository."""
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    return ["git", "-C", str(repository), *settings, *words]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return the environment for git; `folder` gets the configuration that child gits read.

    A git that fetches starts another one in the source repository without passing `-c` on.
    """
    config = folder / "gitconfig"
    if not config.exists():
        folder.mkdir(parents=True, exist_ok=True)
        lines = [
            f"[{name.split('.')[0]}]\n\t{name.split('.')[1]} = {value}"
            for name, value in _SETTINGS.items()
        ]
        part = folder / f"gitconfig.{os.getpid()}"
        part.write_text("\n".join(lines) + "\n")
        part.rename(config)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",  # `status` would rewrite the index of the repository it reads
        "GIT_NO_LAZY_FETCH": "1",
        **more,
    }


def run(words: Sequence[str], *, env: Mapping[str, str]) -> Result:
    """Run it to its end without input; the caller looks at the status.

    Raises:
        LocalStackError: there is no git. No caller could tell that from an answer of git's.
    """
    done = LocalTransport(environment=env).run(command(*words), check=False)
    if done.exit_status == _NO_PROGRAM:
        raise LocalStackError(reason="there is no git on the PATH", cure="install git")
    return done
