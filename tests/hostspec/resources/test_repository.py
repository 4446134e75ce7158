from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Outcome, Spec, apply
from chalicelib.hostspec.resources import Packages, Repository
from chalicelib.shell import all_of, command, env, q, redirect, unless, write_to
from chalicelib.transport import Transport
from tests.hostspec.debs import FOLDER, Deb, put_repository
from tests.hostspec.life import apply_well, live

_SIGNED = f"{FOLDER}-signed"
_GPG = ["gpg", "--homedir", f"{_SIGNED}/gpg", "--batch"]
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----\n"
_OTHER = _KEY.replace("mDME", "mQIN")
_GOOD = {"repository": "ours", "url": "https://example.com", "key": _KEY}


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_repository_lives(machine: Transport) -> None:
    live(
        machine,
        Repository(repository="life", url="https://example.com/debian", key=_KEY),
        Repository(
            repository="life",
            url="https://example.com/other",
            key=_OTHER,
            suites=("bookworm",),
            components=("main", "extra"),
            architectures=("amd64",),
        ),
        drift=[
            "cp /etc/hosts /etc/apt/sources.list.d/life.sources",
            "rm /etc/apt/keyrings/life.asc",
            "rm /etc/apt/sources.list.d/life.sources",
        ],
    )


@pytest.fixture
def host(machine: Transport) -> Iterator[Transport]:
    """A machine with a folder of packages, and no list of its own: nothing comes over the network."""
    put_repository(machine, [Deb(name="berth-oar", version="1.0")])
    machine.run("mv /etc/apt/sources.list /srv/sources.list", check=False)
    yield machine
    machine.run("mv /srv/sources.list /etc/apt/sources.list", check=False)
    machine.run(command("rm", "-rf", FOLDER, _SIGNED))
    # apt goes on with lists that it has checked once, whoever signs the next ones.
    machine.run(command("find", "/var/lib/apt/lists", "-name", "_srv_debs*", "-delete"))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_packages_come_from_it_in_the_same_apply(host: Transport) -> None:
    ours = Repository(repository="oars", url=f"file:{FOLDER}", unsigned=True)
    oar = Packages(names=("berth-oar",), needs=(ours.name,))
    apply_well(host, oar, ours)

    gone = Repository(repository="oars", absent=True)
    apply_well(host, Packages(names=("berth-oar",), absent=True), gone)


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_what_is_not_signed_with_the_key_is_refused(host: Transport) -> None:
    install = q("apt-get -qy --no-install-recommends install gnupg")
    got = env(all_of(q("apt-get -q update"), install), DEBIAN_FRONTEND="noninteractive", PATH=_PATH)
    host.run("mv /srv/sources.list /etc/apt/sources.list", check=False)
    host.run(unless(redirect(q("gpg --version"), write_to("/dev/null")), got))
    host.run("mv /etc/apt/sources.list /srv/sources.list", check=False)
    put_repository(host, [Deb(name="berth-oar", version="1.0")], _SIGNED)
    keys = [_made_key(host, name) for name in ("wrong", "right")]
    signed = ["--clearsign", "-u", "right", "-o", f"{_SIGNED}/InRelease", f"{_SIGNED}/Release"]
    host.run(command(_GPG, signed))

    for key, outcome in zip(keys, (Outcome.FAILED, Outcome.DONE), strict=True):
        ours = Repository(repository="oars", url=f"file:{_SIGNED}", key=key)
        oar = Packages(names=("berth-oar",), needs=(ours.name,))
        assert apply(Spec(ours, oar), host).outcomes[-1].outcome is outcome
        apply_well(host, replace(oar, absent=True, needs=()), replace(ours, absent=True))


def _made_key(host: Transport, name: str) -> str:
    host.run(command("mkdir", "-p", "-m", "700", f"{_SIGNED}/gpg"))
    host.run(command(_GPG, "--passphrase", "", "--quick-gen-key", name, "ed25519", "sign", "never"))
    return host.run(command(_GPG, "--armor", "--export", name)).stdout.decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"repository": "../a"},
        {"url": ""},
        {"url": "https://a b"},
        {"url": "https://a\nTrusted: yes"},
        {"key": ""},
        {"unsigned": True},
        {"key": "x"},
        {"suites": ()},
        {"suites": ("bookworm",)},
        {"components": ("main",)},
        {"suites": ("a b",), "components": ("main",)},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SpecError, match="repository"):
        Repository(**{**_GOOD, **changes})  # type: ignore[arg-type]
