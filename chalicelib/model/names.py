"""How things are named. Every outside effect is named by (job, fence), so that a repeat is harmless.

Ids are 16 characters of base32 (80 bits of SHA-256) in lower case: safe in a URL, a container
name, an execution name and an EC2 client token.
"""

import base64
import hashlib
import re

__all__ = [
    "ATTEMPT_NAME",
    "attempt_name",
    "container_name",
    "group_id",
    "job_id",
    "parse_container_name",
    "pipeline_id",
]

ATTEMPT_NAME = re.compile(r"^(?P<job>[a-z2-7]{16})-(?P<fence>[1-9][0-9]{0,8})$")
_CONTAINER_PREFIX = "berth-"


def _short_hash(*parts: str) -> str:
    # The unit separator cannot be in any part that GitHub sends, so no two lists of parts collide.
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return base64.b32encode(digest[:10]).decode().lower()


def pipeline_id(
    *, installation: str, repository_id: str, event: str, head_sha: str, ref: str, rerun: int
) -> str:
    """Return the semantic id of the pipeline that a delivery asks for.

    The same event delivered again, in any order, has the same id: it is the dedupe key.

    Args:
        installation: GitHub App installation id, or `local`.
        repository_id: GitHub's numeric id; it survives renames.
        event: `push` or `pull_request`.
        head_sha: the commit to build.
        ref: full ref such as `refs/heads/main`, or `refs/pull/7`.
        rerun: 0 for GitHub's own events; a re-run counts up.
    """
    return _short_hash(installation, repository_id, event, head_sha, ref, str(rerun))


def job_id(pipeline: str, job_name: str) -> str:
    """Return the id of the job of that name in that pipeline."""
    return _short_hash(pipeline, job_name)


def group_id(*, installation: str, repository_id: str, ref: str) -> str:
    """Return the id of the group of pipelines of which a newer one supersedes the older."""
    return _short_hash("group", installation, repository_id, ref)


def attempt_name(job: str, fence: int) -> str:
    """Return `<job>-<fence>`: the execution's name, the result's name, the host directory's name.

    >>> attempt_name("abcdefghijklmnop", 3)
    'abcdefghijklmnop-3'
    """
    return f"{job}-{fence}"


def container_name(job: str, fence: int) -> str:
    """Return the LXD instance name of an attempt.

    >>> container_name("abcdefghijklmnop", 3)
    'berth-abcdefghijklmnop-3'
    """
    return _CONTAINER_PREFIX + attempt_name(job, fence)


def parse_container_name(name: str) -> tuple[str, int] | None:
    """Return (job, fence) of a container of ours, or None for anybody else's.

    >>> parse_container_name("berth-abcdefghijklmnop-3")
    ('abcdefghijklmnop', 3)
    >>> parse_container_name("berth-golden-base") is None
    True
    """
    if not name.startswith(_CONTAINER_PREFIX):
        return None
    match = ATTEMPT_NAME.match(name.removeprefix(_CONTAINER_PREFIX))
    return (match["job"], int(match["fence"])) if match else None
