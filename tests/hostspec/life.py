"""What must hold for every resource, whatever its kind, shown on a real host.

From nothing it is made by one apply; a second one changes nothing. It can be changed, repaired
after somebody else changed it, and removed; to remove it again changes nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from chalicelib.hostspec import Operation, Outcome, Part, Resource, Spec, apply, audit
from chalicelib.hostspec.text import report_text
from chalicelib.shell import Item
from chalicelib.transport import Transport

__all__ = ["apply_well", "live", "operation"]

_LOCK_WAIT = timedelta(minutes=1)
"""Another test run on this machine may apply too."""


def live(
    host: Transport,
    first: Resource,
    then: Resource,
    *,
    drift: Sequence[Item],
    around: Sequence[Part] = (),
) -> None:
    """Lead a resource through its life on a host.

    Args:
        host: a real one.
        first: the resource, of which the host has nothing.
        then: the same with other properties.
        drift: commands by which somebody else changes it, each of which must be noticed and
            repaired.
        around: what has to be on the host as well; it stays.
    """
    for wanted, what in ((first, Operation.CREATE), (then, Operation.CHANGE)):
        assert operation(host, wanted, *around) is what, wanted
        apply_well(host, wanted, *around)
    for change in drift:
        host.run(change)
        assert operation(host, then, *around) is not Operation.NOTHING, change
        apply_well(host, then, *around)
    gone = replace(then, absent=True)
    assert operation(host, gone, *around) is Operation.REMOVE
    apply_well(host, gone, *around)
    assert operation(host, first, *around) is Operation.CREATE


def apply_well(host: Transport, *parts: Part) -> None:
    """Apply, and see that the host then is as it should be, and that a second time does nothing."""
    spec = Spec(*parts)
    report = apply(spec, host, lock_wait=_LOCK_WAIT)
    assert report.ok, report_text(report)
    left = audit(spec, host)
    assert left.empty, [(each.resource.name, each.differences) for each in left.work]
    assert {each.outcome for each in apply(spec, host).outcomes} == {Outcome.UNCHANGED}


def operation(host: Transport, resource: Resource, *around: Part) -> Operation:
    """Return what is to be done with a resource on a host."""
    plan = audit(Spec(resource, *around), host)
    return next(each.operation for each in plan.changes if each.resource == resource)
