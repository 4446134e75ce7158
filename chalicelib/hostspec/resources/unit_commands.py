"""Commands that start, stop and enable units, and say why a unit did not start."""

from chalicelib.hostspec.resources import openrc_commands as openrc
from chalicelib.shell import (
    Node,
    all_of,
    any_of,
    assign,
    both_to,
    branch,
    case,
    command,
    duplicate,
    equal,
    exit_,
    for_each,
    group,
    otherwise,
    output,
    println,
    q,
    q_or,
    redirect,
    ref,
    script,
    script_function,
    unless,
    when,
)

__all__ = ["disabled", "enabled", "loaded", "masked", "reacted", "started", "stopped", "unmasked"]

_TAIL_LINES = 15
_SETTLE = tuple(range(5))
_PAUSE_S = "0.2"


def loaded(unit: str) -> Node:
    """Return the command that has systemd read its files, and fails if it cannot use the unit's."""
    bad = script(
        redirect(println(f"{unit} is not loaded:", _shown(unit, "LoadState")), duplicate(1, 2)),
        redirect(q("systemctl status --no-pager --full {unit}", unit=unit), duplicate(2, 1)),
        exit_(1),
    )
    return script(
        q_or("systemctl daemon-reload", exit_()),
        unless(equal(_shown(unit, "LoadState"), "loaded"), bad),
    )


def _enable(unit: str) -> Node:
    return q("systemctl enable {unit}", unit=unit)


def _disable(unit: str) -> Node:
    asked = q("systemctl is-enabled --quiet {unit}", unit=unit)
    until_boot = q("systemctl disable --runtime {unit}", unit=unit)
    off = all_of(q("systemctl disable {unit}", unit=unit), until_boot)
    return when(redirect(asked, *both_to("/dev/null")), off)


def _mask(unit: str) -> Node:
    return q("systemctl mask {unit}", unit=unit)


def _unmask(unit: str) -> Node:
    asked = equal(_shown(unit, "LoadState"), "masked")
    until_boot = q("systemctl unmask --runtime {unit}", unit=unit)
    return when(asked, all_of(q("systemctl unmask {unit}", unit=unit), until_boot))


def _stop(unit: str) -> Node:
    # In all other states something runs, or is about to: a unit that is to be restarted is so.
    return case(
        _shown(unit, "ActiveState"),
        branch("inactive"),
        branch("failed"),
        otherwise(q("systemctl stop {unit}", unit=unit)),
    )


def _start(unit: str) -> Node:
    # A start while systemd waits to restart it would wait with it, and count on.
    waits = equal(_shown(unit, "SubState"), "auto-restart")
    given_up = when(waits, q("systemctl stop {unit}", unit=unit))
    begin = group(assign("just_started", 1), given_up, *_begin(unit, "start"))
    return script(assign("just_started", 0), unless(_is_active(unit), begin))


def _react(unit: str, verb: str) -> Node:
    again: tuple[Node, ...] = _begin(unit, verb)
    if verb.startswith("try-"):
        again = (unless(equal(_shown(unit, "ActiveState"), "inactive"), *again),)
    return unless(equal(ref("just_started", if_unset=""), 1), *again)


def _begin(unit: str, verb: str) -> tuple[Node, ...]:
    stale = equal(_shown(unit, "NeedDaemonReload"), "yes")
    forgotten = redirect(q("systemctl reset-failed {unit}", unit=unit), *both_to("/dev/null"))
    return (
        # A file beside the unit's own may have changed without its own resource.
        when(stale, "systemctl daemon-reload"),
        # Else a unit that failed too often would not be tried, though it may now be right.
        forgotten,
        any_of(command("systemctl", verb, unit), group(*_failed(unit))),
        _settled(unit),
    )


def _settled(unit: str) -> Node:
    """Wait until it is clear that a process that systemd only forks has not died at once.

    Of other types systemd itself says whether they started. A service that is restarted again and
    again looks active in between: the count of restarts since the start tells.
    """
    lives = all_of(_is_active(unit), group(_never_restarted(unit)))
    watched = for_each(
        "round",
        _SETTLE,
        command("sleep", _PAUSE_S),
        any_of(lives, group(*_failed(unit))),
    )
    return case(_shown(unit, "Type"), branch(["simple", "exec", "idle"], watched))


def _never_restarted(unit: str) -> Node:
    return case(_shown(unit, "NRestarts"), branch(["", "0"], "true"), otherwise("false"))


def _is_active(unit: str) -> Node:
    return q("systemctl is-active --quiet {unit}", unit=unit)


def _failed(unit: str) -> tuple[Node, ...]:
    state = (_shown(unit, "ActiveState"), _shown(unit, "Result"))
    logged = command(
        "journalctl", "--no-pager", "--quiet", "-o", "short", "-n", _TAIL_LINES, "-u", unit
    )
    return (
        redirect("journalctl --sync", *both_to("/dev/null")),
        logged,
        println(f"{unit} did not stay up:", *state),
        exit_(1),
    )


def _shown(unit: str, of: str) -> object:
    return output(command("systemctl", "show", "--value", f"--property={of}", "--", unit))


_SYSTEMD: frozenset[str] = frozenset()
"""Whoever has no OpenRC is taken to have systemd, and says so itself if not."""

enabled = script_function("enabled", {_SYSTEMD: _enable, "alpine": openrc.enable})
"""Of a unit: the command by which it is started at boot."""
disabled = script_function("disabled", {_SYSTEMD: _disable, "alpine": openrc.disable})
"""Of a unit: the command by which it is not started at boot; also if there is none."""
masked = script_function("masked", {_SYSTEMD: _mask, "alpine": openrc.mask})
"""Of a unit: the command by which nothing can start it."""
unmasked = script_function("unmasked", {_SYSTEMD: _unmask, "alpine": openrc.unmask})
"""Of a unit: the command by which it can be started again."""
stopped = script_function("stopped", {_SYSTEMD: _stop, "alpine": openrc.stop})
"""Of a unit: the command by which it does not run; also if there is none."""
started = script_function("started", {_SYSTEMD: _start, "alpine": openrc.start})
"""Of a unit: the command by which it runs, and goes on running.

It sets the variable `just_started` to 1 if it started it; `reacted` reads that.
"""
reacted = script_function("reacted", {_SYSTEMD: _react, "alpine": openrc.react})
"""Of a unit and a verb of systemctl: that, unless `started` has just started the unit."""
