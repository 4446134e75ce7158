"""Units of systemd, services and timers, as Hypothesis draws them."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import strategies as st

from chalicelib.hostspec.resources import Service, Timer, Unit
from tests.hostspec.anything.choices import (
    ABSENT,
    ANYBODY,
    OWNERS,
    PLACES,
    UNITS,
    Made,
    maybe_absent,
)

__all__ = ["TASK_TIMER", "any_service", "any_timer", "any_unit", "unit_of"]

_NOTIFIES = "/bin/sh -c 'systemd-notify --ready; exec sleep 1000'"
"""systemd waits until it is up: of other daemons it is asked for a second whether they still are."""
TASK_TIMER = Unit(
    unit=f"{UNITS[1]}.timer",
    sections={"Timer": [("OnActiveSec", "9h")], "Install": [("WantedBy", "timers.target")]},
    needs=(f"unit {UNITS[1]}",),
)


def unit_of(name: str, user: str, *, at_boot: bool, absent: bool) -> Unit:
    """Return a daemon, or a task that is done at once."""
    how = {
        UNITS[0]: [("Type", "notify"), ("NotifyAccess", "all"), ("ExecStart", _NOTIFIES)],
        UNITS[1]: [("Type", "oneshot"), ("RemainAfterExit", "yes"), ("ExecStart", "/bin/true")],
    }
    install = {"Install": [("WantedBy", "multi-user.target")]} if at_boot else {}
    return Unit(
        unit=name,
        sections={"Service": [*how[name], ("User", user)], **install},
        absent=absent,
    )


def any_unit() -> Made:
    """A whole one, or what is added to it."""
    whole = st.builds(unit_of, st.sampled_from(UNITS), OWNERS, at_boot=st.booleans(), absent=ABSENT)
    added = maybe_absent(
        Unit,
        unit=st.sampled_from(UNITS),
        drop_in=st.just("more"),
        sections=st.sampled_from(("1", "2")).map(lambda nice: {"Service": [("Nice", nice)]}),
    )
    return whole | added


def any_service() -> Made:
    masked = st.builds(Service, unit=st.just("any-ghost"), masked=st.just(value=True))
    free = st.just(Service(unit="any-ghost", running=False, enabled=False))
    ours = maybe_absent(
        Service,
        unit=st.sampled_from(UNITS),
        running=st.sampled_from((True, True, False, None)),
        enabled=st.sampled_from((True, True, False, None)),
        on_change=st.sampled_from(("restart", "reload")),
    )
    return st.one_of(ours, ours, ours, masked, free)


def any_timer() -> Made:
    """One of its own, or a unit that starts the task."""
    own = {"id": st.just("any-tick"), "user": st.sampled_from(ANYBODY)}
    runs = st.sampled_from((["/bin/true"], ["/bin/echo", "a b", "%n"], [PLACES[0]]))
    hours = st.integers(1, 3).map(lambda count: timedelta(hours=count))
    starts_task = Service(unit=TASK_TIMER.unit)
    return st.one_of(
        maybe_absent(Timer, **own, run=runs, every=hours),
        maybe_absent(
            Timer,
            **own,
            run=runs,
            calendar=st.sampled_from(("*-*-* 03:00:00", "2090-01-01")),
            persistent=st.booleans(),
        ),
        st.sampled_from((TASK_TIMER, starts_task, replace(starts_task, absent=True))),
    )
