"""Registering a host: what it offers changes, what an operator decided stays."""

from chalicelib.model import Host, HostState
from chalicelib.services.drain_host import drain_host, resume_host
from chalicelib.services.register_host import register_host
from tests.services.installation import Site, make_site


def _state(site: Site) -> HostState:
    host = site.queue.get_host("h1")
    assert host is not None
    return host.state


def test_a_host_that_is_registered_again_claims_for_its_further_slots() -> None:
    site = make_site(slots=1)
    jobs = [site.plan(), site.plan()]

    stored = register_host(site.berth, Host(id="h1", slots=2))

    assert stored.slots == 2
    assert [site.job(job.id).state.value for job in jobs] == ["leased", "leased"]


def test_a_drained_host_stays_drained_until_it_is_resumed() -> None:
    """Each `./berth build` registers the machine: it must not undo what was asked for."""
    site = make_site()
    drain_host(site.berth, "h1")

    stored = register_host(site.berth, Host(id="h1", slots=2))
    before = _state(site)
    resume_host(site.berth, "h1")

    assert stored.state is before is HostState.DRAINING
    assert _state(site) is HostState.UP
