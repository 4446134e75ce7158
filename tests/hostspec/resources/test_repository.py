from collections.abc import Iterator

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec.resources import Packages, Repository
from chalicelib.shell import command, render, script
from chalicelib.transport import Transport
from tests.hostspec.debs import FOLDER, Deb, put_repository
from tests.hostspec.life import apply_well, live

_KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----\n"
_OTHER = _KEY.replace("mDME", "mQIN")
_GOOD = {"repository": "ours", "url": "https://example.com", "key": _KEY}
_RSA = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"


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
    machine.run(command("rm", "-r", FOLDER))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_packages_come_from_it_in_the_same_apply(host: Transport) -> None:
    ours = Repository(repository="oars", url=f"file:{FOLDER}", unsigned=True)
    oar = Packages(names=("berth-oar",), needs=(ours.name,))
    apply_well(host, oar, ours)

    gone = Repository(repository="oars", absent=True)
    apply_well(host, Packages(names=("berth-oar",), absent=True), gone)


def test_red_hat_gets_a_repo_file_and_a_key() -> None:
    ours = Repository(repository="ours", url="https://example.com/rpm", key=_KEY)

    text = render(script(*ours.actions()), facts={"redhat"})

    assert "/etc/yum.repos.d/ours.repo" in text
    assert "gpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/ours.asc\n" in text


def test_alpine_gets_a_line_and_a_key() -> None:
    ours = Repository(repository="ours", url="https://example.com/v3", key=_RSA)

    text = render(script(*ours.actions()), facts={"alpine"})

    assert "/etc/apk/keys/ours.rsa.pub" in text
    assert "berth_line=https://example.com/v3" in text


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
