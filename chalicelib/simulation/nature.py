"""What nobody wants: hosts that are unreachable, cut off, rebooted or gone, and outages of services."""

from collections.abc import Callable, Sequence

from chalicelib.model import Host
from chalicelib.services.drain_host import drain_host
from chalicelib.services.register_host import register_host
from chalicelib.simulation.history import Outage
from chalicelib.simulation.hosts import Machine
from chalicelib.simulation.world import World

__all__ = ["Nature"]

_MINUTE_MS = 60_000
_TROUBLE_MS = (5_000, 5 * _MINUTE_MS)
_BOOT_MS = (5_000, _MINUTE_MS)
_SPOT_NOTICE_MS = 2 * _MINUTE_MS
_LOOKS_FOR_BUILDS = 12
_LOOK_MS = 5_000
_LONG_OUTAGES = 0.05
_LONG_OUTAGE_MS = 180 * _MINUTE_MS


class Nature:
    """Incidents of hosts and services.

    Attributes:
        calm_at_ms: when the longest outage that is known so far is over.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.calm_at_ms = 0

    def incidents(self) -> Sequence[Callable[[], None]]:
        """Return what may happen."""
        return (
            self._crash_supervisor,
            self._unreachable,
            self._cut_off,
            self._reboot,
            self._vanish,
            self._spot_notice,
            self._github_is_away,
            self.take_store_away,
        )

    def register(self, name: str) -> None:
        """Let the machine be registered, which is not waited for."""
        world = self._world
        host = Host(id=name, slots=world.slots)
        world.lambdas.invoke("register", lambda: register_host(world.berth, host), limit_s=60)

    def _crash_supervisor(self) -> None:
        running = list(self._machine().supervisors.values())
        if running:
            supervisor = self._world.random.choice(running)
            self._world.boundary.note(f"the supervisor of {supervisor.attempt} crashes")
            supervisor.crash()

    def _unreachable(self) -> None:
        machine = self._machine()
        self._note(machine, "is unreachable")
        machine.reachable = False
        self._world.engine.pause(self._world.random.randint(*_TROUBLE_MS))
        machine.reachable = not machine.gone

    def _cut_off(self) -> None:
        machine = self._machine()
        self._note(machine, "is cut off")
        machine.cut_off()
        self._world.engine.pause(self._world.random.randint(*_TROUBLE_MS))
        machine.connected = not machine.gone

    def _reboot(self) -> None:
        machine = self._machine()
        if machine.gone:
            return
        self._note(machine, "reboots")
        machine.reboot()
        machine.reachable = False
        self._world.engine.pause(self._world.random.randint(*_BOOT_MS))
        machine.reachable = not machine.gone
        self.register(machine.name)

    def _vanish(self) -> None:
        machine = self._machine()
        if self._may_vanish(machine):
            self._note(machine, "is gone for good")
            machine.vanish()

    def _spot_notice(self) -> None:
        machine, world = self._machine(), self._world
        if not self._may_vanish(machine):
            return
        self._note(machine, "gets a spot notice")
        world.lambdas.invoke("operator", lambda: drain_host(world.berth, machine.name), limit_s=60)
        world.engine.pause(_SPOT_NOTICE_MS)
        if self._may_vanish(machine):
            self._note(machine, "is taken back")
            machine.vanish()

    def _may_vanish(self, machine: Machine) -> bool:
        return not machine.gone and sum(not each.gone for each in self._world.hosts.values()) > 1

    def _github_is_away(self) -> None:
        self._world.github.away = True
        self._world.engine.pause(self._world.random.randint(*_TROUBLE_MS))
        self._world.github.away = False

    def take_store_away(self) -> None:
        """Let the store be away for minutes, or hours, from when builds run."""
        world = self._world
        for _ in range(_LOOKS_FOR_BUILDS):
            if any(machine.supervisors for machine in world.hosts.values()):
                break
            world.engine.pause(_LOOK_MS)
        if world.store.away:
            return
        duration_ms = world.random.randint(*_TROUBLE_MS)
        if world.random.random() < _LONG_OUTAGES:
            duration_ms = _LONG_OUTAGE_MS
        self.calm_at_ms = world.engine.now_ms + duration_ms + _MINUTE_MS
        world.boundary.note(f"the store is away for {duration_ms // 1000} s")
        world.store.away = True
        world.engine.pause(duration_ms)
        world.store.away = False
        world.boundary.note("the store is back")
        kept = frozenset(
            attempt
            for machine in world.hosts.values()
            if machine.connected
            for attempt in machine.supervisors
        )
        world.history.outage = Outage(world.engine.now_ms, kept)

    def _machine(self) -> Machine:
        return self._world.random.choice(list(self._world.hosts.values()))

    def _note(self, machine: Machine, what: str) -> None:
        self._world.boundary.note(f"{machine.name} {what}")
