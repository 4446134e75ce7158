"""GitHub's deliveries: signed bodies as GitHub sends them, lost, doubled, late and out of order.

GitHub does not repeat a delivery that failed. Whoever runs the installation asks for it again, which
`redeliver_missing` does once the world has healed (invariant L1).
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.errors import StoreUnavailableError
from chalicelib.model import group_id, pipeline_id
from chalicelib.services.receive_delivery import Received, receive_delivery
from chalicelib.simulation.engine import Actor
from chalicelib.simulation.history import Head
from chalicelib.simulation.world import World

__all__ = ["Deliveries", "Event"]

_CLIENT_TIMEOUT_MS = 10_000
"""GitHub's own patience with an answer."""
_DOUBLED = 0.3
_MISSED = 0.1
_CONFIGS = (
    "[a]",
    "[a, b]",
    "[a, b: {requires: [a]}]",
    "[a, b: {requires: [a]}, c: {requires: [b]}]",
    "[a, b, c: {requires: [a, b]}]",
)
"""The jobs of the one workflow, as the config lists them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event at GitHub: a push to a branch, or to a pull request."""

    name: str
    kind: str
    tenant: str
    ref: str
    sha: str
    before: str

    def body(self) -> bytes:
        """Return the payload, as far as it is read."""
        repository = {"id": 1, "full_name": "o/r", "clone_url": "https://github.com/o/r.git"}
        payload: dict[str, Any] = {
            "installation": {"id": int(self.tenant)},
            "repository": repository,
            "before": self.before,
            "after": self.sha,
        }
        if self.kind == "push":
            payload |= {"ref": self.ref, "head_commit": {"message": "m"}, "deleted": False}
        else:
            number = int(self.ref.rpartition("/")[2])
            head = {"sha": self.sha, "repo": {"id": 1}, "ref": "feature"}
            payload |= {
                "action": "synchronize",
                "pull_request": {"number": number, "title": "t", "head": head},
            }
        return json.dumps(payload).encode()

    def pipeline(self) -> str:
        """Return the id of the pipeline that the event is to become."""
        return pipeline_id(
            installation=self.tenant,
            repository_id="1",
            event=self.kind,
            head_sha=self.sha,
            ref=self.ref,
            rerun=0,
        )

    def group(self) -> str:
        """Return the group that it is superseded in."""
        return group_id(installation=self.tenant, repository_id="1", ref=self.ref)


class Deliveries:
    """Makes events and sends their deliveries."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.events: list[Event] = []
        self._heads: dict[tuple[str, str], str] = {}

    def happen(self, *, kind: str, tenant: str, ref: str, jobs: str = "") -> Event:
        """Let somebody push now, with these jobs in the config, or some; return the event."""
        world, number = self._world, len(self.events) + 1
        jobs = jobs or world.random.choice(_CONFIGS)
        sha = hashlib.sha1(f"commit {number}".encode()).hexdigest()  # noqa: S324 - as git names it
        before = self._heads.get((tenant, ref), "0" * 40)
        event = Event(
            name=f"event-{number}", kind=kind, tenant=tenant, ref=ref, sha=sha, before=before
        )
        self._heads[tenant, ref] = sha
        self.events.append(event)
        world.github.put_file("o/r", sha, ".circleci/config.yml", _config(jobs))
        world.github.put_head("o/r", ref, sha)
        if kind == "pull_request":
            world.history.heads[event.pipeline()] = Head(group=event.group(), sha=sha)
        world.boundary.note(f"{kind} {event.name} {ref} of {tenant}: {jobs}")
        return event

    def scatter(self, event: Event) -> None:
        """Deliver the event as badly as GitHub may: late, twice, out of order, never."""
        world = self._world
        if world.random.random() >= _MISSED:
            self.send(event, delay_ms=world.random.choice((1, 1, 20_000, 90_000)))
        if world.random.random() < _DOUBLED:
            self.send(event, delay_ms=world.random.randint(1, 120_000))

    def send(self, event: Event, *, delay_ms: int) -> None:
        """Deliver the event after a while."""
        actor = Actor(f"delivery of {event.name}")
        self._world.engine.spawn(actor, lambda: self._deliver(actor, event), delay_ms=delay_ms)

    def missing(self) -> list[Event]:
        """Return the events that were never answered with 2xx."""
        known = self._world.history.acknowledged
        return [event for event in self.events if event.name not in known]

    def redeliver_missing(self) -> None:
        """Send again what was not answered."""
        for event in self.missing():
            self.send(event, delay_ms=1)

    def _deliver(self, actor: Actor, event: Event) -> None:
        boundary = self._world.boundary
        try:
            received = boundary.call(
                "http", f"webhook {event.name}", lambda: self._served(actor, event), _no_answer
            )
        except StoreUnavailableError:
            return  # a failed delivery on GitHub's page
        boundary.note(f"webhook {event.name} answered {received.pipeline}")
        self._world.history.acknowledged[event.name].add(received.pipeline)

    def _served(self, actor: Actor, event: Event) -> Received:
        engine = self._world.engine
        invocation = self._world.lambdas.invoke(
            "webhook", self._serve(event), limit_s=30, caller=actor
        )
        until_ms = engine.now_ms + _CLIENT_TIMEOUT_MS
        while not invocation.over and engine.now_ms < until_ms:
            engine.pause(until_ms - engine.now_ms)
        if not invocation.over or invocation.error:
            raise _no_answer()
        received: Received = invocation.answer
        return received

    def _serve(self, event: Event) -> Callable[[], object]:
        body = event.body()

        def serve() -> object:
            berth = self._world.berth
            secret = berth.keyring.keys(now=berth.clock.now()).webhook[0].reveal()
            signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
            return receive_delivery(
                berth,
                event=event.kind,
                delivery=event.name,
                signature=f"sha256={signature}",
                content_type="application/json",
                body=body,
            )

        return serve


def _config(jobs: str) -> bytes:
    bodies = "".join(f"  {name}: {{steps: [{{run: make}}]}}\n" for name in "abc")
    return f"version: 2.1\njobs:\n{bodies}workflows: {{w: {{jobs: {jobs}}}}}\n".encode()


def _no_answer() -> Exception:
    return StoreUnavailableError(reason="the webhook did not answer")
