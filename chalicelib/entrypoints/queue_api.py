"""The queue as JSON, and what an operator changes of it: `./berth queue` first of all.

Reading takes the token or a session, changing the token.
"""

from typing import Any

from chalice import Response

from chalicelib import wiring
from chalicelib.entrypoints.access import require_bearer, require_reader
from chalicelib.entrypoints.documents import host_document, tenant_document
from chalicelib.entrypoints.guard import GuardedBlueprint, json_answer
from chalicelib.entrypoints.requests import checked_name, json_fields, required_text
from chalicelib.services.show_queue import ShownPool

__all__ = ["blueprint"]

blueprint = GuardedBlueprint(__name__)


@blueprint.route("/api/queue")
def get_queue() -> Response:
    """Return pools with hosts, and tenants: `{"pools": […], "tenants": […], "more", "paused"}`.

    `ready` of a pool and `backlog` of a tenant are counted up to 100. `more` says that there are
    tenants beside these; `paused` why everything is stopped.
    """
    from chalicelib.services.show_queue import show_queue

    require_reader(blueprint.current_request)
    shown = show_queue(wiring.berth())
    tenants = [{**tenant_document(each.tenant), "backlog": each.backlog} for each in shown.tenants]
    return json_answer(
        {
            "pools": [_pool(pool) for pool in shown.pools],
            "tenants": tenants,
            "more": shown.more,
            "paused": shown.paused,
        }
    )


@blueprint.route("/api/queue/pause", methods=["POST"])
def pause_everything() -> Response:
    """Let no job be claimed. Body: `{"reason": text}`."""
    return _pause(None)


@blueprint.route("/api/queue/resume", methods=["POST"])
def resume_everything() -> Response:
    """Let jobs be claimed again; answers those that were claimed at once."""
    return _resume(None)


@blueprint.route("/api/pools/{pool}/pause", methods=["POST"])
def pause_pool(pool: str) -> Response:
    """Let no job of the pool be claimed. Body: `{"reason": text}`."""
    return _pause(pool)


@blueprint.route("/api/pools/{pool}/resume", methods=["POST"])
def resume_pool(pool: str) -> Response:
    """Let the pool's jobs be claimed again; answers those that were claimed at once."""
    return _resume(pool)


@blueprint.route("/api/pools/{pool}/lanes", methods=["PUT"])
def put_lanes(pool: str) -> Response:
    """Set how many lanes the pool's jobs are spread over. Body: `{"lanes": 1 to 64}`."""
    from chalicelib.services.steer_pool import spread_over_lanes

    require_bearer(blueprint.current_request)
    checked_name("pool", pool)
    lanes = json_fields(blueprint.current_request, "lanes").number("lanes")
    spread_over_lanes(wiring.berth(), pool, lanes=lanes)
    return json_answer({"id": pool, "lanes": lanes})


@blueprint.route("/api/tenants/{tenant}", methods=["PUT"])
def put_tenant(tenant: str) -> Response:
    """Set a tenant's limit. Body: `{"limit": 0 to 4000, "weight": 1 to 1000}`, or without weight."""
    from chalicelib.services.limit_tenant import limit_tenant

    require_bearer(blueprint.current_request)
    checked_name("tenant", tenant)
    fields = json_fields(blueprint.current_request, "limit", "weight")
    weight = None if fields.is_null("weight") else fields.number("weight")
    changed = limit_tenant(wiring.berth(), tenant, limit=fields.number("limit"), weight=weight)
    return json_answer(tenant_document(changed))


@blueprint.route("/api/hosts/{host}/drain", methods=["POST"])
def drain_host(host: str) -> Response:
    """Let the host take no further job; answers the host."""
    from chalicelib.services.drain_host import drain_host as serve

    require_bearer(blueprint.current_request)
    return json_answer(host_document(serve(wiring.berth(), checked_name("host", host))))


@blueprint.route("/api/hosts/{host}/resume", methods=["POST"])
def resume_host(host: str) -> Response:
    """Let the host take jobs again; answers the host."""
    from chalicelib.services.drain_host import resume_host as serve

    require_bearer(blueprint.current_request)
    return json_answer(host_document(serve(wiring.berth(), checked_name("host", host))))


def _pause(pool: str | None) -> Response:
    from chalicelib.services.steer_pool import pause_claims

    require_bearer(blueprint.current_request)
    if pool is not None:
        checked_name("pool", pool)
    reason = required_text(json_fields(blueprint.current_request, "reason"), "reason")
    pause_claims(wiring.berth(), pool, reason=reason)
    return json_answer({"paused": reason})


def _resume(pool: str | None) -> Response:
    from chalicelib.services.steer_pool import resume_claims

    require_bearer(blueprint.current_request)
    if pool is not None:
        checked_name("pool", pool)
    json_fields(blueprint.current_request)
    return json_answer({"claimed": resume_claims(wiring.berth(), pool)})


def _pool(shown: ShownPool) -> dict[str, Any]:
    return {
        "id": shown.pool.id,
        "lanes": shown.pool.lanes,
        "paused": shown.pool.paused,
        "breaker": shown.breaker,
        "ready": shown.ready,
        "hosts": [host_document(host) for host in shown.hosts],
    }
