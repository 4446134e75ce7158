"""Images and golden containers of this machine's real LXD."""

from pathlib import Path

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Operation, Outcome, Spec, apply
from chalicelib.hostspec.resources import LxdGolden, LxdImage
from chalicelib.shell import Secret, command
from chalicelib.transport import Transport
from tests.hostspec.https_site import https_site
from tests.hostspec.life import apply_well, live, operation
from tests.hostspec.resources.lxd_names import ours
from tests.lxd_site import LxdSite
from tests.tiny_image import tiny_image

pytestmark = [pytest.mark.lxd, pytest.mark.timeout(300)]

ALIAS = ours("image")
GOLDEN = ours("gold")


def test_an_image_of_a_file_lives(here: Transport, lxd: LxdSite, tmp_path: Path) -> None:
    project = lxd.facts.project
    one, two = tmp_path / "one.tar", tmp_path / "two.tar"
    prints = [tiny_image(one, "one"), tiny_image(two, "two")]

    live(
        here,
        LxdImage(alias=ALIAS, project=project, source=str(one), fingerprint=prints[0]),
        LxdImage(alias=ALIAS, project=project, source=str(two), fingerprint=prints[1]),
        drift=[command("lxc", "image", "alias", "delete", ALIAS, "--project", project)],
    )

    here.run(command("lxc", "image", "delete", prints[0], "--project", project))


@pytest.mark.parametrize("secret", [False, True], ids=["plain", "signed"])
def test_an_image_is_fetched_and_compared(lxd: LxdSite, tmp_path: Path, *, secret: bool) -> None:
    (tmp_path / "site").mkdir()
    fingerprint = tiny_image(tmp_path / "site/image.tar", f"fetched {secret}")
    with https_site(tmp_path / "site") as (url, host):
        source = f"{url}/image.tar?signature=swordfish"
        image = LxdImage(
            alias=ALIAS,
            project=lxd.facts.project,
            source=Secret(source) if secret else source,
            fingerprint=fingerprint,
        )
        apply_well(host, image)
        apply_well(host, LxdImage(alias=ALIAS, project=lxd.facts.project, absent=True))

        wrong = LxdImage(
            alias=ALIAS, project=lxd.facts.project, source=source, fingerprint="0" * 64
        )
        assert apply(Spec(wrong), host).outcomes[0].outcome is Outcome.FAILED
        assert operation(host, wrong) is Operation.CREATE
    assert not list(Path("/var/tmp").glob("berth-image.*"))  # noqa: S108 - where it is fetched to


def test_a_golden_container_is_started_once_and_copied(here: Transport, lxd: LxdSite) -> None:
    project = ("--project", lxd.facts.project)
    alias = lxd.api.get("images", "aliases", "base")
    golden = LxdGolden(
        id=GOLDEN,
        project=lxd.facts.project,
        image="base",
        fingerprint=alias["target"],
        config={"limits.memory": "512MiB"},
    )
    gone = LxdGolden(id=GOLDEN, project=lxd.facts.project, absent=True)

    assert operation(here, golden) is Operation.CREATE
    apply_well(here, golden)
    here.run(command("lxc", "config", "set", GOLDEN, "user.berth.ready", "", *project))
    assert operation(here, golden) is Operation.CHANGE
    apply_well(here, golden)
    assert operation(here, gone) is Operation.REMOVE
    apply_well(here, gone)


def test_a_container_that_is_not_golden_is_left_alone(here: Transport, lxd: LxdSite) -> None:
    project = ("--project", lxd.facts.project)
    here.run(command("lxc", "init", "--empty", GOLDEN, *project))
    try:
        gone = LxdGolden(id=GOLDEN, project=lxd.facts.project, absent=True)
        assert operation(here, gone) is Operation.NOTHING
        taken = LxdGolden(id=GOLDEN, project=lxd.facts.project, image="base", fingerprint="0" * 64)
        assert apply(Spec(taken), here).outcomes[0].outcome is Outcome.FAILED
        here.run(command("lxc", "info", GOLDEN, *project))
    finally:
        here.run(command("lxc", "delete", "--force", GOLDEN, *project))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match="64 hexadecimal digits"):
        LxdImage(alias="a", source="/a.tar", fingerprint="x")
    with pytest.raises(SpecError, match="no plain absolute path"):
        LxdImage(alias="a", source="http://example.com/a.tar", fingerprint="0" * 64)
    with pytest.raises(SpecError, match="needs image and fingerprint"):
        LxdGolden(id="g")
