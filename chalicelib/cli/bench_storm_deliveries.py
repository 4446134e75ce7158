"""The deliveries of a storm: pushes in the shape of GitHub's own, signed, some sent twice, in disorder.

Pure: the same number of deliveries is the same storm. Bodies have the fields and about the size of
captured ones (<https://docs.github.com/en/webhooks/webhook-events-and-payloads#push>).
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.model import job_id, pipeline_id

__all__ = ["CONFIG", "JOB", "Storm", "StormDelivery"]

CONFIG = b"version: 2.1\njobs:\n  build:\n    steps:\n      - checkout\n      - run: make test\n"
JOB = "build"
_DUPLICATES = 0.3
_PUSHES_OF_A_TENANT = 350
_FEWEST_TENANTS = 10
_REF = "refs/heads/main"
# What a repository's object in a delivery mostly is made of.
_LINKS = (
    "archive assignees blobs branches collaborators comments commits compare contents contributors "
    "deployments downloads events forks git_commits git_refs git_tags hooks issue_comment "
    "issue_events issues keys labels languages merges milestones notifications pulls releases "
    "stargazers statuses subscribers subscription tags teams trees"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StormDelivery:
    """One webhook call: what `receive_delivery` is given."""

    guid: str
    body: bytes
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """So many deliveries, 30 % of them repeats of others."""

    deliveries: int

    @property
    def pushes(self) -> int:
        """How many deliveries are no repeats."""
        return max(1, round(self.deliveries * (1 - _DUPLICATES)))

    @property
    def tenants(self) -> int:
        """How many installations push, each as often as the others."""
        return max(_FEWEST_TENANTS, self.pushes // _PUSHES_OF_A_TENANT)

    def order(self) -> Sequence[int]:
        """Return the push of each delivery, in the order they arrive: shuffled, the same each time."""
        places = sorted(range(self.deliveries), key=lambda place: _digest(f"place {place}"))
        return [place % self.pushes for place in places]

    def delivery(self, push: int, *, secret: str) -> StormDelivery:
        """Return the delivery of a push; a repeat of it is the same, its GUID too, as GitHub has it."""
        body = json.dumps(self._payload(push)).encode()
        return StormDelivery(
            guid=_digest(f"guid {push}")[:32],
            body=body,
            signature="sha256=" + hmac.digest(secret.encode(), body, "sha256").hex(),
        )

    def pipeline(self, push: int) -> str:
        """Return the id of the pipeline that the push has to become."""
        return pipeline_id(
            installation=str(self._tenant(push)),
            repository_id=str(self._tenant(push)),
            event="push",
            head_sha=_sha(push),
            ref=_REF,
            rerun=0,
        )

    def job(self, push: int) -> str:
        """Return the id of the one job of its pipeline."""
        return job_id(self.pipeline(push), JOB)

    def _tenant(self, push: int) -> int:
        return 1_000 + push % self.tenants

    def _payload(self, push: int) -> dict[str, Any]:
        tenant = self._tenant(push)
        owner = f"tenant-{tenant}"
        commit = {
            "id": _sha(push),
            "tree_id": _digest(f"tree {push}")[:40],
            "distinct": True,
            "message": f"Change number {push}",
            "timestamp": "2015-07-07T21:19:00Z",
            "url": f"https://github.com/{owner}/shop/commit/{_sha(push)}",
            "author": _person(owner),
            "committer": _person(owner),
            "added": [],
            "removed": [],
            "modified": ["README.md"],
        }
        return {
            "ref": _REF,
            "before": _sha(push - self.tenants),
            "after": _sha(push),
            "repository": _repository(owner, tenant),
            "pusher": {"name": owner, "email": f"{owner}@example.com"},
            "sender": {"login": owner, "id": tenant, "type": "User", "site_admin": False},
            "installation": {"id": tenant, "node_id": _digest(f"node {tenant}")[:24]},
            "created": False,
            "deleted": False,
            "forced": False,
            "base_ref": None,
            "compare": f"https://github.com/{owner}/shop/compare/{_sha(push)[:12]}",
            "commits": [commit],
            "head_commit": commit,
        }


def _repository(owner: str, number: int) -> dict[str, Any]:
    api = f"https://api.github.com/repos/{owner}/shop"
    return {
        "id": number,
        "name": "shop",
        "full_name": f"{owner}/shop",
        "private": True,
        "owner": {"login": owner, "id": number, "type": "Organization", "site_admin": False},
        "clone_url": f"https://github.com/{owner}/shop.git",
        "default_branch": "main",
        **{f"{link}_url": f"{api}/{link.replace('_', '/')}{{/sha}}" for link in _LINKS.split()},
        "description": None,
        "fork": False,
        "language": "Ruby",
        "license": None,
        "topics": [],
        "visibility": "private",
    }


def _person(name: str) -> dict[str, str]:
    return {"name": name, "email": f"{name}@example.com", "username": name}


def _sha(push: int) -> str:
    return _digest(f"commit {push}")[:40]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
