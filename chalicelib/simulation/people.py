"""What people do to an installation: cancel, run again, change limits, pause, drain, spread."""

from collections.abc import Callable, Sequence

from chalicelib.services.cancel_pipeline import cancel_job, cancel_pipeline
from chalicelib.services.drain_host import drain_host, resume_host
from chalicelib.services.limit_tenant import limit_tenant
from chalicelib.services.rerun_pipeline import rerun_pipeline
from chalicelib.services.steer_pool import pause_claims, resume_claims, spread_over_lanes
from chalicelib.simulation.world import World

__all__ = ["TENANTS", "People"]

TENANTS = ("7", "8")
_PAUSE_MS = (1_000, 180_000)
_POOL = "default"


class People:
    """Operators and users. Each act is one actor's: it may take its time between its calls."""

    def __init__(self, world: World) -> None:
        self._world = world

    def incidents(self) -> Sequence[Callable[[], None]]:
        """Return what they may do."""
        return (
            self._cancel_pipeline,
            self._cancel_pipeline,
            self._cancel_job,
            self._change_limit,
            self._pause_pool,
            self._change_lanes,
            self._rerun,
            self._abort_execution,
            self._drain,
        )

    def put_all_back(self) -> None:
        """Undo what keeps jobs from running, and no more: what then has to follow is judged."""
        queue = self._world.berth.queue
        for pool in (None, _POOL):
            queue.pause(pool, reason="")
        for tenant in TENANTS:
            queue.put_tenant_limit(tenant, limit=2)

    def call(self, serve: Callable[[], object]) -> None:
        """Let somebody call the API, which is not waited for."""
        self._world.lambdas.invoke("operator", serve, limit_s=30)

    def _cancel_pipeline(self) -> None:
        world = self._world
        known = sorted(world.store.watch.rows.pipelines)
        if known:
            pipeline = world.random.choice(known)
            self.call(lambda: cancel_pipeline(world.berth, pipeline))

    def _cancel_job(self) -> None:
        world = self._world
        known = sorted(world.store.watch.rows.jobs)
        if known:
            job = world.random.choice(known)
            self.call(lambda: cancel_job(world.berth, job))

    def _rerun(self) -> None:
        world = self._world
        known = sorted(world.store.watch.rows.pipelines)
        if known:
            pipeline, failed = world.random.choice(known), world.random.choice((True, False))
            self.call(lambda: rerun_pipeline(world.berth, pipeline, only_failed=failed))

    def _change_limit(self) -> None:
        world = self._world
        tenant = world.random.choice(TENANTS)
        # Where a shard has one or two slots, these cross that, up and down, below what runs too.
        for limit in (world.random.choice((0, 1, 2)), world.random.choice((1, 3, 5))):
            self._limit(tenant, limit)
            world.engine.pause(world.random.randint(*_PAUSE_MS))

    def _limit(self, tenant: str, limit: int) -> None:
        self.call(lambda: limit_tenant(self._world.berth, tenant, limit=limit))

    def _pause_pool(self) -> None:
        world = self._world
        pool = world.random.choice((None, _POOL))
        self.call(lambda: pause_claims(world.berth, pool, reason="a person said so"))
        world.engine.pause(world.random.randint(*_PAUSE_MS))
        self.call(lambda: resume_claims(world.berth, pool))

    def _change_lanes(self) -> None:
        world = self._world
        lanes = world.random.choice((1, 2, 4))
        self.call(lambda: spread_over_lanes(world.berth, _POOL, lanes=lanes))

    def _abort_execution(self) -> None:
        running = self._world.machine.open()
        if running:
            self._world.machine.stop(self._world.random.choice(running).name)

    def _drain(self) -> None:
        world = self._world
        host = world.random.choice(sorted(world.hosts))
        self.call(lambda: drain_host(world.berth, host))
        world.engine.pause(world.random.randint(*_PAUSE_MS))
        self.call(lambda: resume_host(world.berth, host))
