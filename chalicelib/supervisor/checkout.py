"""The `checkout` step: the commit goes from the host's mirror into the container as a bundle.

The container needs no credentials and no network for it, and ends with what `git clone` of the
repository would give: the branch checked out at the commit, `origin` at the clone URL.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path

from chalicelib.supervisor.attempt import Attempt, Step, container_path
from chalicelib.supervisor.container import Command, Container
from chalicelib.supervisor.environment import base_environment
from chalicelib.supervisor.execution import Ended
from chalicelib.supervisor.faults import StepRefusedError
from chalicelib.supervisor.mirror import Mirror, branch_ref

__all__ = ["Checkout", "commit_mirror"]

_GIT_MISSING = 127
_HEADS = "refs/heads/"


def commit_mirror(attempt: Attempt, halted: Callable[[], bool]) -> Mirror:
    """Return the host's mirror of the attempt's repository."""
    return Mirror(cache=Path(attempt.repository_cache), source=attempt.source, halted=halted)


class Checkout:
    """Runs one checkout step."""

    def __init__(self, attempt: Attempt, container: Container, step: Step) -> None:
        self._attempt = attempt
        self._container = container
        self._step = step
        self._bundle = posixpath.join(attempt.container_dir, "source.bundle")
        self._path = container_path(step.path, home=attempt.home, base=attempt.workspace)

    def run(self) -> Ended:
        """Put the commit into the directory; return how the last command ended.

        Raises:
            InfrastructureError: the commit cannot be fetched, or LXD failed.
            StepRefusedError: the directory holds something else, or there is no git.
        """
        source = self._attempt.source
        self._say(f"Cloning {source.repository} at {source.sha} into {self._path}\n")
        self._send_bundle()
        self._container.make_user_directory(self._path)
        names = self._container.lxd.list_directory(self._path)
        if names and ".git" not in names:
            msg = f"{self._path} exists, is not empty, and is not a git repository"
            raise StepRefusedError(msg)
        ended = self._in_turn(self._update() if names else self._clone())
        if ended.status == _GIT_MISSING:
            msg = "git is not installed in the image, so the commit cannot be checked out"
            raise StepRefusedError(msg)
        return ended

    def _say(self, text: str) -> None:
        self._container.spool.write(self._step.index, text.encode())

    def _send_bundle(self) -> None:
        bundle = commit_mirror(self._attempt, self._container.halt.stopped).bundle()
        with bundle.open("rb") as file:
            size = bundle.stat().st_size
            self._container.lxd.put_file(self._bundle, file, uid=0, gid=0, mode=0o644, size=size)

    def _git(self, *arguments: str) -> list[str]:
        # The rewrite lasts for this one command, so git records the real URL as origin's.
        url = self._attempt.source.clone_url
        return ["git", "-c", f"url.{self._bundle}.insteadOf={url}", *arguments]

    @property
    def _ref(self) -> str:
        return branch_ref(self._attempt.source.ref)

    def _clone(self) -> list[list[str]]:
        name = self._ref.split("/", 2)[-1]
        url = self._attempt.source.clone_url
        quiet = ["-c", "advice.detachedHead=false"]
        return [self._git(*quiet, "clone", "--quiet", f"--branch={name}", "--", url, self._path)]

    def _update(self) -> list[list[str]]:
        """Return the commands that bring an existing clone (from an image, a cache) to the commit."""
        source, ref = self._attempt.source, self._ref
        into = ["-C", self._path]
        fetch = self._git(*into, "fetch", "--quiet", "--force", "--no-tags", "--", source.clone_url)
        origin = ["git", *into, "config", "remote.origin.url", source.clone_url]
        clean = ["git", *into, "reset", "--quiet", "--hard", source.sha]
        if not ref.startswith(_HEADS):
            checkout = ["git", *into, "checkout", "--quiet", "--force", "--detach", source.sha]
            return [origin, [*fetch, f"+{ref}:{ref}"], checkout, clean]
        name = ref[len(_HEADS) :]
        checkout = ["git", *into, "checkout", "--quiet", "--force", "-B", name, source.sha]
        return [origin, [*fetch, f"+{ref}:refs/remotes/origin/{name}"], checkout, clean]

    def _in_turn(self, commands: Sequence[Sequence[str]]) -> Ended:
        ended = Ended(0)
        for arguments in commands:
            ended = self._container.run(
                Command(
                    step=self._step.index,
                    arguments=arguments,
                    environment=base_environment(self._attempt, self._step.index),
                    cwd=self._attempt.workspace,
                    silence_limit_s=self._step.no_output_timeout_s,
                )
            )
            if ended.status != 0:
                break
        return ended
