"""The course of a world: it settles, trouble begins, it heals. All of it drawn from the seed.

After the healing nothing fails any more, and sweeps go on until nothing is left to do, or for too
long: that is where liveness is asked.
"""

from collections.abc import Callable

from chalicelib.model import Host, HostState
from chalicelib.services.sweep import sweep
from chalicelib.simulation.deliveries import Deliveries
from chalicelib.simulation.engine import Actor
from chalicelib.simulation.nature import Nature
from chalicelib.simulation.people import TENANTS, People
from chalicelib.simulation.rest import MINUTE_MS
from chalicelib.simulation.world import World

__all__ = ["Scenario"]

_SETTLED_MS = 5_000
_ALL_BACK_MS = 60_000
_PUSHES_UNTIL_MS = (20_000, 3 * MINUTE_MS)
_OUTAGES = 0.25
_OUTAGE_AT_MS = (MINUTE_MS // 2, 3 * MINUTE_MS)
_HEAL_AT_MS = 7 * MINUTE_MS
_UNRESTS = (0.0, 0.1, 0.3, 0.5)
_INCIDENTS_AT_MOST = 2
_REFS = (("push", "refs/heads/main"), ("pull_request", "refs/pull/5"))
_BURSTS = (1, 1, 2)
_BURST_PAUSE_MS = 40_000


class Scenario:
    """Sets a world going, and heals it. `deliveries` are GitHub's."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._people = People(world)
        self._nature = Nature(world)
        self.deliveries = Deliveries(world)

    @property
    def heal_at_ms(self) -> int:
        """Return when the world is to heal, as far as is known by now."""
        return max(_HEAL_AT_MS, self._nature.calm_at_ms)

    def begin(self) -> None:
        """Lay out everything that is going to happen."""
        random = self._world.random
        for name in ("h1", "h2"):
            self._world.add_host(name)
            self._nature.register(name)
        self._later("clock", self._sweep_for_ever, MINUTE_MS // 2)
        until_ms = random.choice(_PUSHES_UNTIL_MS)
        for _ in range(random.randint(2, 4)):
            self._later("people", self._push, random.randint(_SETTLED_MS, until_ms))
        self._later("nature", self._trouble_begins, _SETTLED_MS)
        if random.random() < _OUTAGES:
            self._later("fate", self._nature.take_store_away, random.randint(*_OUTAGE_AT_MS))
        unrest = random.choice(_UNRESTS)
        for act in (*self._people.incidents(), *self._nature.incidents()):
            for _ in range(_INCIDENTS_AT_MOST):
                if random.random() < unrest:
                    at_ms = random.randint(MINUTE_MS, _HEAL_AT_MS - MINUTE_MS)
                    self._later("fate", act, at_ms)

    def heal(self) -> None:
        """End all trouble: what is left must now come to its end by itself."""
        world = self._world
        world.boundary.note("the world heals")
        # An operator's call that is late by minutes would undo what is put back here.
        world.engine.kill_named("fate", "operator", "register")
        world.faults.on = False
        world.deployment.finish()
        world.builds_short = True
        world.github.away = False
        world.store.heal()
        for machine in world.hosts.values():
            machine.reachable = machine.connected = not machine.gone
        world.history.healed_ms = world.engine.now_ms + _ALL_BACK_MS
        self._people.call(self._put_hosts_back)
        self._people.call(self._people.put_all_back)
        self.deliveries.redeliver_missing()

    def _put_hosts_back(self) -> None:
        world = self._world
        for name, machine in world.hosts.items():
            state = HostState.LOST if machine.gone else HostState.UP
            world.berth.queue.register_host(
                Host(id=name, slots=world.slots, generation=machine.generation)
            )
            world.berth.queue.set_host_state(name, state)

    def _trouble_begins(self) -> None:
        self._world.faults.on = True

    def _sweep_for_ever(self) -> None:
        """Sweep once a minute, as EventBridge starts it: now and then not at all, or twice."""
        world = self._world
        while True:
            times = world.random.choices((0, 1, 2), (3, 94, 3))[0] if world.faults.on else 1
            for _ in range(times):
                world.lambdas.invoke("sweep", lambda: sweep(world.berth), limit_s=60)
            world.engine.pause(MINUTE_MS)

    def _push(self) -> None:
        random = self._world.random
        kind, ref = random.choice(_REFS)
        tenant = random.choice(TENANTS)
        for _ in range(random.choice(_BURSTS)):
            self.deliveries.scatter(self.deliveries.happen(kind=kind, tenant=tenant, ref=ref))
            self._world.engine.pause(random.randint(1, _BURST_PAUSE_MS))

    def _later(self, name: str, act: Callable[[], None], delay_ms: int) -> None:
        self._world.engine.spawn(Actor(name), act, delay_ms=delay_ms)
