"""Commands that start, stop and enable units, and say why a unit did not start."""

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


def enabled(unit: str) -> Node:
    """Return the command by which the unit is started at boot."""
    return q("systemctl enable {unit}", unit=unit)


def disabled(unit: str) -> Node:
    """Return the command by which the unit is not started at boot; also if there is none."""
    asked = q("systemctl is-enabled --quiet {unit}", unit=unit)
    return when(redirect(asked, *both_to("/dev/null")), q("systemctl disable {unit}", unit=unit))


def masked(unit: str) -> Node:
    """Return the command by which nothing can start the unit."""
    return q("systemctl mask {unit}", unit=unit)


def unmasked(unit: str) -> Node:
    """Return the command by which the unit can be started again."""
    asked = equal(_shown(unit, "LoadState"), "masked")
    return when(asked, q("systemctl unmask {unit}", unit=unit))


def stopped(unit: str) -> Node:
    """Return the command by which the unit does not run; also if there is none."""
    # In all other states something runs, or is about to: a unit that is to be restarted is so.
    return case(
        _shown(unit, "ActiveState"),
        branch("inactive"),
        branch("failed"),
        otherwise(q("systemctl stop {unit}", unit=unit)),
    )


def started(unit: str) -> Node:
    """Return the command by which the unit runs, and goes on running.

    It sets the variable `just_started` to 1 if it started it; `reacted` reads that.
    """
    # A start while systemd waits to restart it would wait with it, and count on.
    waits = equal(_shown(unit, "SubState"), "auto-restart")
    given_up = when(waits, q("systemctl stop {unit}", unit=unit))
    begin = group(assign("just_started", 1), given_up, *_begin(unit, "start"))
    return script(assign("just_started", 0), unless(_is_active(unit), begin))


def reacted(unit: str, *, verb: str) -> Node:
    """Return the command that restarts or reloads the unit, unless `started` has just started it.

    Args:
        unit: which.
        verb: of systemctl.
    """
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
