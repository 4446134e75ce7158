"""The commit on the host: a bare mirror per repository, and a bundle per commit made from it.

Git runs on the host as root with input from outside, so it is held short: no system or user
configuration, no hooks, no prompts, http, https and ssh only, and nothing from outside stands where
git could take it for an option.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chalicelib.supervisor.attempt import Source
from chalicelib.supervisor.faults import InfrastructureError
from chalicelib.supervisor.hostcommand import run_on_host

__all__ = ["Mirror", "branch_ref"]

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_FETCH_LIMIT_S = 600.0
_LOCAL_LIMIT_S = 300.0
_BUNDLES_KEPT = 5
_LOCK_PAUSE_S = 0.01
_PULLS = "refs/pull/"
_HARDENED = (
    "core.hooksPath=/dev/null",
    "gc.auto=0",
    "maintenance.auto=false",
    "transfer.bundleURI=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
)
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "GIT_ALLOW_PROTOCOL": "http:https:ssh",
    "GIT_ASKPASS": "/bin/false",
    "SSH_ASKPASS": "/bin/false",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_HTTP_LOW_SPEED_LIMIT": "1000",
    "GIT_HTTP_LOW_SPEED_TIME": "60",
}


def branch_ref(ref: str) -> str:
    """Return the ref under which the commit is cloned: a pull request becomes a branch.

    >>> branch_ref("refs/pull/7/head"), branch_ref("refs/heads/main"), branch_ref("refs/tags/v1")
    ('refs/heads/pull/7', 'refs/heads/main', 'refs/tags/v1')
    """
    if ref.startswith(_PULLS):
        return "refs/heads/pull/" + ref[len(_PULLS) :].split("/", 1)[0]
    return ref


@dataclass(frozen=True)
class Mirror:
    """The host's copy of one repository, shared by all attempts under a lock.

    Attributes:
        cache: directory of all mirrors.
        source: which commit of which repository.
        halted: whether the attempt stops.
    """

    cache: Path
    source: Source
    halted: Callable[[], bool]

    def bundle(self) -> Path:
        """Return a bundle file that holds the commit under `branch_ref`; fetches it if missing.

        Raises:
            InfrastructureError: it cannot be fetched, in time or at all.
        """
        source = self.source
        if not _SHA.fullmatch(source.sha):
            msg = f"{source.sha!r} is not a commit id"
            raise InfrastructureError(msg)
        name = hashlib.sha256(source.clone_url.encode()).hexdigest()[:24]
        directory = self.cache / name
        reference = hashlib.sha256(branch_ref(source.ref).encode()).hexdigest()[:8]
        bundle = directory / "bundles" / f"{source.sha}-{reference}.bundle"
        with self._locked(name):
            if bundle.exists():
                os.utime(bundle)
                return bundle
            repository = self._repository(directory)
            self._require_commit(repository)
            self._write_bundle(repository, bundle)
            _drop_old(bundle.parent)
        return bundle

    def _repository(self, directory: Path) -> Path:
        repository = directory / "mirror.git"
        if not (repository / "HEAD").exists():
            repository.mkdir(parents=True, exist_ok=True)
            self._must("init", "--quiet", "--bare", "--template=", "--", str(repository))
        return repository

    def _require_commit(self, repository: Path) -> None:
        source = self.source
        if self._has_commit(repository):
            return
        # By id first: the branch may have moved on. A server that refuses ids (old protocol) gets
        # asked for the ref, then for everything.
        wanted = (
            [f"+{source.sha}:refs/berth/{source.sha}"],
            [f"+{source.ref}{'/head' if source.ref.startswith(_PULLS) else ''}:refs/berth/ref"],
            ["+refs/heads/*:refs/berth/heads/*"],
        )
        trouble: list[bytes] = []
        for refspecs in wanted:
            trouble.clear()
            status = self._git(
                ["-C", str(repository), "fetch", "--quiet", "--force", "--no-tags",
                 "--no-write-fetch-head", "--", source.clone_url, *refspecs],
                limit_s=_FETCH_LIMIT_S,
                sink=trouble.append,
            )  # fmt: skip
            if status == 0 and self._has_commit(repository):
                return
        said = b"".join(trouble).decode("utf-8", "replace").strip()
        msg = (
            f"commit {source.sha} cannot be fetched from {source.clone_url}: {said or 'not there'}"
        )
        raise InfrastructureError(msg)

    def _has_commit(self, repository: Path) -> bool:
        question = ["-C", str(repository), "cat-file", "-e", f"{self.source.sha}^{{commit}}"]
        return self._git(question, limit_s=_LOCAL_LIMIT_S, sink=_ignore) == 0

    def _write_bundle(self, repository: Path, bundle: Path) -> None:
        ref, sha = branch_ref(self.source.ref), self.source.sha
        bundle.parent.mkdir(exist_ok=True)
        draft = bundle.with_suffix(".new")
        inside = ["-C", str(repository)]
        # A bundle names what it holds by refs of the repository. They are ours for a moment only,
        # and what a killed supervisor left would be in the way (`a` excludes `a/b`).
        for scratch in ("heads", "tags"):
            shutil.rmtree(repository / "refs" / scratch, ignore_errors=True)
        self._must(*inside, "update-ref", "--", ref, sha)
        self._must(*inside, "bundle", "create", "--quiet", str(draft), ref)
        self._must(*inside, "update-ref", "--", f"refs/berth/{sha}", sha)
        draft.replace(bundle)

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        self.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.cache / f"{name}.lock").open("w") as file:
            while not _try_lock(file):
                if self.halted():
                    msg = "stopped while another attempt fetched the repository"
                    raise InfrastructureError(msg)
                time.sleep(_LOCK_PAUSE_S)
            yield

    def _must(self, *arguments: str) -> None:
        said: list[bytes] = []
        if self._git(arguments, limit_s=_LOCAL_LIMIT_S, sink=said.append) != 0:
            text = b"".join(said).decode("utf-8", "replace").strip()
            msg = f"git failed on the host: {text}"
            raise InfrastructureError(msg)

    def _git(
        self, arguments: Sequence[str], *, limit_s: float, sink: Callable[[bytes], None]
    ) -> int:
        options = [part for option in _HARDENED for part in ("-c", option)]
        return run_on_host(
            ["git", *options, *arguments],
            environment=_ENVIRONMENT,
            sink=sink,
            limit_s=limit_s,
            halted=self.halted,
        )


def _ignore(_data: bytes) -> None:
    return


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _drop_old(bundles: Path) -> None:
    newest = sorted(bundles.glob("*.bundle"), key=lambda path: path.stat().st_mtime, reverse=True)
    for bundle in newest[_BUNDLES_KEPT:]:
        bundle.unlink()
