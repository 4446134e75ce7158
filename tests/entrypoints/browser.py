"""What stands outside of the application: GitHub, a supervisor, a person."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalice.test import Client, HTTPResponse

import app as application
from chalicelib.model import Job
from chalicelib.services.dispatch_attempt import dispatch_attempt
from tests.services.installation import CONFIG, SHA, Site

WEBHOOK_SECRET = "webhook-secret"  # noqa: S105 - of the fake keyring
PAGE_TOKEN = "page-token"  # noqa: S105 - of the fake keyring
BEARER = {"Authorization": f"Bearer {PAGE_TOKEN}"}

PUSH: Mapping[str, Any] = {
    "ref": "refs/heads/main",
    "before": "0" * 40,
    "after": SHA,
    "deleted": False,
    "installation": {"id": 7},
    "repository": {
        "id": 1,
        "name": "r",
        "full_name": "o/r",
        "clone_url": "http://forge/o/r.git",
        "owner": {"login": "o"},
    },
    "head_commit": {"id": SHA, "message": "Fix the gate\n\nbody", "author": {"name": "Ann"}},
    "sender": {"login": "ann"},
}


@dataclass(slots=True, kw_only=True)
class Application:
    """The application and what is behind it."""

    site: Site

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> HTTPResponse:
        """Send one request."""
        with Client(application.app) as client:
            sent = {"Content-Type": "application/json", **(headers or {})}
            return client.http.request(method, path, headers=sent, body=body)

    def deliver(
        self,
        payload: Any = PUSH,
        *,
        event: str = "push",
        secret: str = WEBHOOK_SECRET,
        delivery: str = "delivery-1",
        content_type: str = "application/json",
    ) -> HTTPResponse:
        """Send a signed delivery; bytes are sent as they are."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": content_type,
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery,
            "X-Hub-Signature-256": f"sha256={mac}",
        }
        return self.ask("POST", "/webhooks/github", body=body, headers=headers)

    def running_job(self) -> Job:
        """Return a job whose supervisor runs."""
        self.site.put_file(".circleci/config.yml", CONFIG)
        job = self.site.plan()
        self.site.sequencer.waiting.add("token")
        dispatch_attempt(self.site.berth, job=job.id, fence=1, task_token="token")  # noqa: S106 - a stand-in
        return self.site.job(job.id)

    def ticket(self, job: Job) -> dict[str, str]:
        """Return the header that the job's supervisor sends."""
        plan = self.site.host.supervisors[job.id, job.fence]
        return {"Authorization": f"Bearer {plan.ticket}"}
