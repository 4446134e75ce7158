"""Packages and the host's own settings, as Hypothesis draws them."""

from hypothesis import strategies as st

from chalicelib.hostspec.resources import (
    CaCertificate,
    Firewall,
    Hostname,
    Packages,
    Repository,
    Rule,
    Sysctl,
    Timezone,
)
from tests.hostspec.anything.certificates import CERTIFICATES
from tests.hostspec.anything.choices import REPOSITORIES, Made, maybe_absent

__all__ = [
    "SYSCTLS",
    "any_ca_certificate",
    "any_firewall",
    "any_hostname",
    "any_packages",
    "any_repository",
    "any_sysctl",
    "any_timezone",
]

SYSCTLS = ("net.ipv4.conf.lo.rp_filter", "net.ipv4.ip_local_port_range")


def any_sysctl() -> Made:
    loopback = maybe_absent(Sysctl, key=st.just(SYSCTLS[0]), value=st.integers(0, 2))
    return loopback | maybe_absent(
        Sysctl,
        key=st.just(SYSCTLS[1]),
        value=st.sampled_from(("30000 60999", "32768 60999")),
    )


def any_packages() -> Made:
    versions = [("any-hull",), ("any-hull=1.0",), ("any-hull=2.0",), ("any-oar", "any-hull=1.0")]
    ours = maybe_absent(
        Packages, names=st.sampled_from(versions), hold=st.booleans(), purge=st.booleans()
    )
    theirs = maybe_absent(
        Packages, names=st.just(("any-sail",)), needs=st.just(("repository any-more",))
    )
    return ours | theirs


def any_repository() -> Made:
    return maybe_absent(
        Repository,
        repository=st.just("any-more"),
        url=st.just(f"file:{REPOSITORIES[1]}"),
        unsigned=st.just(value=True),
    )


def any_hostname() -> Made:
    return maybe_absent(Hostname, hostname=st.sampled_from(("any-host", "any.example.com")))


def any_timezone() -> Made:
    return maybe_absent(Timezone, zone=st.sampled_from(("Etc/UTC", "Asia/Tokyo")))


def any_ca_certificate() -> Made:
    return maybe_absent(CaCertificate, id=st.just("any"), pem=st.sampled_from(CERTIFICATES))


def any_firewall() -> Made:
    """It cuts nothing off: its policies stay as they are, and its rules accept."""
    rules = (Rule(ports=(80, "8000-8100")), Rule(sources=("10.0.0.0/8",), interfaces=("lo",)))
    return maybe_absent(
        Firewall,
        table=st.just("berth_any"),
        rules=st.sampled_from(((), rules[:1], rules)),
        input_policy=st.just("accept"),
    )
