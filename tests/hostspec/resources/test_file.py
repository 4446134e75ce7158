import doctest
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import SpecError
from chalicelib.hostspec import Outcome, Spec, apply, audit
from chalicelib.hostspec.resources import Download, File, file, template
from chalicelib.hostspec.script import apply_script
from chalicelib.hostspec.text import plan_text
from chalicelib.shell import Secret, explain, render
from chalicelib.transport import LocalTransport, Transport
from tests.hostspec.https_site import https_site
from tests.hostspec.life import apply_well, live

PATH = "/srv/file"


def test_the_examples_are_true() -> None:
    assert doctest.testmod(file).failed == 0


@pytest.mark.lxd
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("one\n", "two\nlines without an end"),
        (b"\0\xff" * 5000, b"\xfe"),
        (Secret("swordfish"), Secret("marlin's 'x'\n")),
    ],
    ids=["text", "bytes", "secret"],
)
def test_a_file_lives(
    machine: Transport, first: str | bytes | Secret, then: str | bytes | Secret
) -> None:
    live(
        machine,
        File(path=PATH, content=first),
        File(path=PATH, content=then, mode=0o640, owner="daemon", group="adm"),
        drift=[
            "chmod 600 /srv/file",
            "chgrp root /srv/file",
            "cp /etc/passwd /srv/file",
            "ln -sf /etc/passwd /srv/file",
            "rm /srv/file",
        ],
    )


_CONTENTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300),
    st.binary(max_size=300),
)


@given(content=_CONTENTS)
def test_any_content_arrives_as_it_is(
    content: str | bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.getbasetemp() / "any"
    wanted = content if isinstance(content, bytes) else content.encode()

    apply_well(LocalTransport(), File(path=str(place), content=content))

    assert place.read_bytes() == wanted


def test_a_large_file_is_written_and_its_content_not_shown(tmp_path: Path) -> None:
    big = "x" * 3_000_000

    apply_well(LocalTransport(), File(path=f"{tmp_path}/big", content=big))
    plan = audit(Spec(File(path=f"{tmp_path}/big", content="y")), LocalTransport())

    assert len(plan_text(plan, host="h")) < 1000
    assert "sha256" in plan_text(plan, host="h")


def test_a_secret_is_in_no_plan_and_no_text(tmp_path: Path) -> None:
    spec = Spec(File(path=f"{tmp_path}/key", content=Secret("swordfish"), mode=0o600))
    apply(spec, LocalTransport())
    other = Spec(File(path=f"{tmp_path}/key", content=Secret("marlin"), mode=0o600))

    plan = audit(other, LocalTransport())
    script = apply_script(plan, mark="m", owner="me")

    shown = [repr(plan), plan_text(plan, host="h"), explain(script, facts=plan.system.facts)]
    for text in shown:
        assert "swordfish" not in text
        assert "marlin" not in text
        for secret in ("swordfish", "marlin"):
            assert hashlib.sha256(secret.encode()).hexdigest() not in text
    assert "marlin" in render(script, facts=plan.system.facts)


def test_a_secret_that_could_not_be_written_is_not_told(tmp_path: Path) -> None:
    spec = Spec(File(path=f"{tmp_path}/no/key", content=Secret("swordfish")))

    outcome = apply(spec, LocalTransport()).outcomes[0]

    assert outcome.outcome is Outcome.FAILED
    assert "swordfish" not in repr(outcome)
    assert "mktemp" in outcome.tail


@pytest.mark.parametrize("secret", [False, True], ids=["plain", "signed"])
def test_a_file_is_fetched_and_compared(tmp_path: Path, *, secret: bool) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/tool").write_bytes(b"\0tool")
    digest = hashlib.sha256(b"\0tool").hexdigest()
    place = tmp_path / "it's here"

    with https_site(tmp_path / "site") as (url, host):
        signed = f"{url}/tool?signature=swordfish"
        wanted = Download(url=Secret(signed) if secret else signed, sha256=digest)
        apply_well(host, File(path=str(place), content=wanted, mode=0o755))
        assert place.read_bytes() == b"\0tool"

        (tmp_path / "site/tool").write_bytes(b"other")
        place.unlink()
        outcome = apply(Spec(File(path=str(place), content=wanted)), host).outcomes[0]

    assert outcome.outcome is Outcome.FAILED
    assert not place.exists()
    assert ("swordfish" in repr(outcome)) is not secret
    assert [each.name for each in tmp_path.iterdir() if "here" in each.name] == []


def test_a_file_is_fetched_over_https_only(here: Transport, tmp_path: Path) -> None:
    wanted = Download(url=f"file://{tmp_path}/x", sha256="0" * 64)

    outcome = apply(Spec(File(path=f"{tmp_path}/y", content=wanted)), here).outcomes[0]

    assert "rotocol" in outcome.tail


def test_a_digest_that_is_none_is_refused() -> None:
    with pytest.raises(SpecError, match="64 hexadecimal digits"):
        File(path="/a", content=Download(url="https://example.com", sha256="md5"))


def test_a_template_hides_what_a_secret_went_into() -> None:
    assert template("user=$who", who="me") == "user=me"
    assert repr(template("password=$it", it=Secret("swordfish"))) == "Secret('***')"


@pytest.mark.parametrize(
    ("text", "values", "why"),
    [("$a", {}, "no value for a"), ("x", {"a": 1}, "takes a"), ("100 $", {}, "Invalid")],
)
def test_a_template_that_does_not_fit_is_refused(
    text: str, values: dict[str, object], why: str
) -> None:
    with pytest.raises(SpecError, match=why):
        template(text, **values)
