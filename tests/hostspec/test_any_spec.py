"""Any spec, from whatever state the one before has left: one apply gets there, a second does nothing."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, assume, event, given, settings

from chalicelib.errors import SpecError
from chalicelib.hostspec import Outcome, Resource, Spec, apply, audit
from chalicelib.hostspec.text import report_text
from chalicelib.transport import Transport
from tests.hostspec.anything.machine import prepared
from tests.hostspec.anything.specs import specs
from tests.hostspec.packets import with_nftables


@pytest.fixture
def host(machine: Transport, inside: Transport) -> Iterator[Transport]:
    """A machine with packages to choose from, from which all is taken away afterwards."""
    with_nftables(inside)
    with prepared(machine):
        yield machine


def _spec(parts: Sequence[Resource]) -> Spec:
    try:
        return Spec(*parts)
    except SpecError as error:
        event(f"refused: {error}")
        assume(condition=False)
        raise


@pytest.mark.lxd
@pytest.mark.timeout(300)
@given(specs())
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
def test_one_apply_gets_there(host: Transport, parts: Sequence[Resource]) -> None:
    spec = _spec(parts)

    report = apply(spec, host)

    assert report.ok, report_text(report)
    left = audit(spec, host)
    assert left.empty, [(each.resource, each.differences) for each in left.work]
    assert {each.outcome for each in apply(spec, host).outcomes} == {Outcome.UNCHANGED}
