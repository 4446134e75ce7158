import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Outcome, Spec, apply
from chalicelib.hostspec.resources import Sysctl
from chalicelib.shell import q, redirect, write_to
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live

KEY = "net.ipv4.conf.lo.rp_filter"
TREE = "/proc/sys/net/ipv4/conf/lo/rp_filter"
PATH = f"/etc/sysctl.d/zz-berth-{KEY}.conf"
OTHER = "net.ipv4.conf.lo.log_martians"


def _running(machine: Transport, path: str) -> bytes:
    return machine.run(q("cat {path}", path=path)).stdout.strip()


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_parameter_lives(machine: Transport) -> None:
    before = _running(machine, TREE)
    live(
        machine,
        Sysctl(key=KEY, value=1),
        Sysctl(key="net/ipv4/conf/lo/rp_filter", value="2"),
        drift=[
            redirect(q("echo 0"), write_to(TREE)),
            q("rm {path}", path=PATH),
            q("sed -i s/2/1/ {path}", path=PATH),
        ],
    )
    machine.run(redirect(q("echo {value}", value=before.decode()), write_to(TREE)))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_no_other_parameter_is_set_and_a_removed_one_keeps_its_value(machine: Transport) -> None:
    machine.put(f"{OTHER} = 1\n".encode(), "/etc/sysctl.d/10-other.conf")
    before = _running(machine, TREE)
    ports = Sysctl(key="net.ipv4.ip_local_port_range", value="30000 60999")

    apply_well(machine, Sysctl(key=KEY, value=2), ports)
    apply_well(machine, Sysctl(key=KEY, absent=True), Sysctl(key=ports.key, absent=True))

    assert _running(machine, TREE) == b"2"
    assert _running(machine, f"/proc/sys/{OTHER.replace('.', '/')}") == b"0"
    machine.run(redirect(q("echo {value}", value=before.decode()), write_to(TREE)))
    machine.run("rm /etc/sysctl.d/10-other.conf")


@pytest.mark.lxd
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("key", "value"), [("net.ipv4.nope", "1"), (KEY, "many")])
def test_what_the_kernel_does_not_take_fails(machine: Transport, key: str, value: str) -> None:
    report = apply(Spec(Sysctl(key=key, value=value)), machine)

    assert report.outcomes[0].outcome is Outcome.FAILED
    assert key.replace(".", "/") in report.outcomes[0].tail + report.outcomes[0].command
    apply_well(machine, Sysctl(key=key, absent=True))


@pytest.mark.parametrize(
    ("key", "subject"),
    [
        ("net.ipv4.ip_forward", "net.ipv4.ip_forward"),
        ("net/ipv4/ip_forward", "net.ipv4.ip_forward"),
        ("net/ipv4/conf/eth0.1/rp_filter", "net/ipv4/conf/eth0.1/rp_filter"),
        ("net.ipv4.conf.eth0/1.rp_filter", "net/ipv4/conf/eth0.1/rp_filter"),
    ],
)
def test_a_parameter_has_one_name(key: str, subject: str) -> None:
    assert Sysctl(key=key, value=1).subject == subject


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kernel", "1"),
        ("../a.b", "1"),
        ("a/../b", "1"),
        ("a.b", ""),
        ("a.b", "1\n2"),
        ("-a.b", "1;"),
    ],
)
def test_what_is_no_parameter_is_refused(key: str, value: str) -> None:
    with pytest.raises(SpecError, match="sysctl "):
        Sysctl(key=key, value=value)
