"""Runs commands in a container, as its root, through LXD's API."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chalicelib.errors import CommandError, ConnectionLostError, HostUnreachableError
from chalicelib.shell import explain
from chalicelib.transport.invocation import invocation
from chalicelib.transport.protocol import Call
from chalicelib.transport.run import Driver, Run
from chalicelib.transport.tree import end_tree

if TYPE_CHECKING:
    from chalicelib.transport.lxd_exec import Container

__all__ = ["LxdTarget", "LxdTransport"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_END_S = 30.0


def _environment() -> dict[str, str]:
    return {"PATH": _PATH, "HOME": "/root", "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LxdTarget:
    """A container, and how its LXD is reached.

    Attributes:
        container: its name.
        lxd: the path of LXD's Unix socket; or a `pylxd.Client`, of a socket or of HTTPS, which is
            used as it is. For HTTPS, give its session `trust_env = False`: else requests takes the
            file of `REQUESTS_CA_BUNDLE` for LXD's certificate.
        project: the LXD project that has the container.
        environment: what commands see beside the container's own. Default: `PATH`, `HOME=/root` and
            `LANG=C.UTF-8`.
        alive_s: after so many silent seconds LXD is asked for a sign of life; a run is lost when
            there is none for as long again.
    """

    container: str
    lxd: Any
    project: str = "default"
    environment: Mapping[str, str] = field(default_factory=_environment)
    alive_s: float = 15.0


class LxdTransport(Driver):
    """A container of an LXD. Connects when first used, and again when LXD was started anew.

    The container needs `/bin/sh`; each command is the child of one, which tells its end. Who kills
    that too (`kill -9 -1`), or stops the container, makes the run end with `ConnectionLostError`.
    LXD keeps the operation of a command whose children in the background hold its output open, until
    these end or print; the run itself has long returned.
    """

    def __init__(
        self, target: LxdTarget, *, host: str | None = None, facts: Iterable[str] = ()
    ) -> None:
        """Remember how to get there; nothing is connected yet.

        Args:
            target: the container, and how its LXD is reached.
            host: the name for results and errors. Default: the container's.
            facts: what is known of its system, for script functions.
        """
        self.host = host or target.container
        self.facts = frozenset(facts)
        self._target = target
        self._lock = threading.Lock()
        self._container: Container | None = None

    def close(self) -> None:
        """Close the connections of the client. Commands that run go on, with their own."""
        with self._lock:
            if self._container is not None:
                self._container.client.api.session.close()
                self._container = None

    def perform(self, run: Run) -> int:
        """Run it by an exec of its own, and pass on what it prints until it has ended."""
        from chalicelib.transport.lxd_exec import started  # noqa: PLC0415 - brings pylxd, 175 ms

        container = self._connected()
        with started(container, run) as execution:
            try:
                return execution.pump()
            except HostUnreachableError:
                raise
            except BaseException:
                try:
                    self._end(container, run)
                finally:
                    execution.kill()
                raise

    def _connected(self) -> "Container":
        from chalicelib.transport import lxd_client, lxd_errors, lxd_exec  # noqa: PLC0415

        with self._lock:
            if self._container is None:
                try:
                    lxd = self._target.lxd
                    client = lxd_client.open_client(lxd) if isinstance(lxd, str) else lxd
                except lxd_errors.FOREIGN as error:
                    raise lxd_errors.translated(error, host=self.host, sent=False) from error
                self._container = lxd_exec.Container(
                    client=client, target=self._target, host=self.host
                )
            return self._container

    def _end(self, container: "Container", run: Run) -> None:
        """End all that the run started, by an exec of its own."""
        from chalicelib.transport.lxd_exec import started  # noqa: PLC0415

        script = run.call.reached(end_tree(run.token))
        shown = explain(script)
        call = Call(command=script, shown=shown, shown_of=script, timeout_s=_END_S, check=False)
        ending = Run(call, invocation(call, self.facts), self.host)
        try:
            with started(container, ending) as execution:
                execution.pump()
        except (CommandError, HostUnreachableError) as error:
            reason = f"could not end a command: {error}"
            raise ConnectionLostError(host=self.host, reason=reason, may_have_run=True) from error
