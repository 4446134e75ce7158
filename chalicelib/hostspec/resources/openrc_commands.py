"""What `unit_commands` and `unit_facts` do where OpenRC is in the place of systemd: Alpine."""

import re
from collections.abc import Mapping

from chalicelib.shell import (
    Node,
    all_of,
    any_of,
    assign,
    both_to,
    command,
    duplicate,
    exists,
    exit_,
    for_each,
    group,
    last_status,
    not_equal,
    println,
    q,
    redirect,
    ref,
    script,
    when,
)

__all__ = ["ask", "disable", "enable", "mask", "react", "read", "start", "stop", "unmask"]

_SETTLE = tuple(range(5))
_PAUSE_S = "0.2"
_STATUS = re.compile(r"^status (\S+) (\d+)$", re.MULTILINE)
_STATES = {"0": "active", "3": "inactive", "4": "deactivating", "8": "activating", "32": "failed"}
"""By what `rc-service … status` ends with; 1 where there is no such service."""
_LEVEL = re.compile(r"^\s*(\S+)\s+\|.*\bdefault\b", re.MULTILINE)
_ENDING = ".service"


def ask(units: tuple[str, ...]) -> Node:
    """Return the command that prints what services do, and which of all start at boot."""
    # rc-status asks about all at once, but of a service that is new only once it has noticed that.
    service = command("rc-service", ref("name"), "status")
    told = println("status", ref("name"), last_status())
    asked = script(redirect(service, *both_to("/dev/null")), told)
    return script(
        for_each("name", [_name(each) for each in units], asked), "rc-update show default"
    )


def read(said: str) -> Mapping[str, Mapping[str, str]]:
    r"""Return what `ask` has printed: by unit, properties as systemd would name them.

    >>> read("status crond 0\n  crond | default\n")["crond.service"]["ActiveState"]
    'active'
    """
    enabled = set(_LEVEL.findall(said))
    return {
        f"{name}{_ENDING}": {
            "LoadState": "loaded",
            "ActiveState": _STATES[state],
            "UnitFileState": "enabled" if name in enabled else "disabled",
        }
        for name, state in _STATUS.findall(said)
        if state in _STATES
    }


def enable(unit: str) -> Node:
    """As `unit_commands.enabled`."""
    return q("rc-update add {name} default", name=_name(unit))


def disable(unit: str) -> Node:
    """As `unit_commands.disabled`."""
    listed = exists(f"/etc/runlevels/default/{_name(unit)}")
    return when(listed, q("rc-update del {name} default", name=_name(unit)))


def mask(unit: str) -> Node:
    """OpenRC has nothing of the kind."""
    return script(redirect(println("OpenRC cannot mask", unit), duplicate(1, 2)), exit_(1))


def unmask(_unit: str) -> Node:
    """Nothing can be masked."""
    return q("true")


def stop(unit: str) -> Node:
    """As `unit_commands.stopped`."""
    return all_of(
        _forget_crash(unit), q("rc-service --ifexists --ifstarted {name} stop", name=_name(unit))
    )


def start(unit: str) -> Node:
    """As `unit_commands.started`."""
    runs = redirect(_status(unit), *both_to("/dev/null"))
    begin = group(assign("just_started", 1), *_begin(unit, "start"))
    return script(assign("just_started", 0), any_of(runs, begin))


def react(unit: str, verb: str) -> Node:
    """As `unit_commands.reacted`; the verbs are those of systemctl."""
    again = group(*_begin(unit, "restart"))
    if "reload" in verb:
        again = any_of(q("rc-service {name} reload", name=_name(unit)), again)
    runs = redirect(_status(unit), *both_to("/dev/null"))
    due = [not_equal(ref("just_started", if_unset=""), 1), *([runs] if "try-" in verb else [])]
    return when(all_of(*due), again)


def _begin(unit: str, verb: str) -> tuple[Node, ...]:
    failed = group(redirect(println(f"{_name(unit)} did not stay up"), duplicate(1, 2)), exit_(1))
    lives = redirect(_status(unit), *both_to("/dev/null"))
    return (
        _forget_crash(unit),
        any_of(command("rc-service", _name(unit), verb), failed),
        for_each("round", _SETTLE, command("sleep", _PAUSE_S), any_of(lives, failed)),
    )


def _forget_crash(unit: str) -> Node:
    """Stop what is left of a service that has crashed: OpenRC would take it for started.

    Some cannot stop without their process ("none killed … failed to stop"): these are zapped.
    """
    stop_, zap = (
        q("rc-service --ifexists --ifcrashed {name} {verb}", name=_name(unit), verb=verb)
        for verb in ("stop", "zap")
    )
    return redirect(any_of(stop_, zap, "true"), *both_to("/dev/null"))


def _status(unit: str) -> Node:
    return q("rc-service {name} status", name=_name(unit))


def _name(unit: str) -> str:
    return unit.removesuffix(_ENDING)
