"""What goes through the bucket: input, secrets, and output that is long."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from chalicelib.errors import CommandTimeoutError, HostUnreachableError, TransportSettingError
from chalicelib.shell import Secret, command, duplicate, pipe, println, q, redirect, script
from chalicelib.transport.ssm import SsmTransport
from chalicelib.transport.ssm_bucket import Bucket
from tests.transport.ssm_server import INSTANCE
from tests.transport.ssm_site import SsmSite, ssm_site

pytestmark = pytest.mark.stack


@pytest.fixture
def site(tmp_path: Path, aws_account: Mapping[str, str]) -> Iterator[SsmSite]:
    """A host with a bucket."""
    with ssm_site(tmp_path, aws=aws_account) as running:
        yield running


class _Misled(Bucket):
    """A bucket that the host cannot reach."""

    def url(self, key: str, *, valid_s: int, host: str) -> str:
        return f"http://127.0.0.1:9/{key}?{valid_s}&{host}"


def test_output_of_a_megabyte_is_whole_on_both_streams(site: SsmSite) -> None:
    """Random bytes: hardly a kilobyte of it is text."""
    made = "head -c 1000000 /dev/urandom | tee copy; head -c 1000000 /dev/urandom | tee other >&2"

    result = site.transport().run(command("sh", "-c", made))

    home = site.folder / "home"
    assert result.stdout == (home / "copy").read_bytes()
    assert result.stderr == (home / "other").read_bytes()
    assert site.keys() == []


def test_a_secret_is_in_no_request(site: SsmSite) -> None:
    login = pipe(q("echo {word}", word=Secret("swordfish")), "tr a-z A-Z")

    result = site.transport().run(script(login, "cat"), stdin=b"and input")

    assert result.stdout == b"SWORDFISH\nand input"
    assert "swordfish" not in json.dumps(site.server.requests)
    assert site.keys() == []


def test_input_goes_through_the_bucket_and_is_gone_afterwards(site: SsmSite) -> None:
    content = bytes(range(256)) * 4096
    pieces = (content[start : start + 100_000] for start in range(0, len(content), 100_000))

    result = site.transport().run("cat", stdin=pieces)

    assert result.stdout == content
    assert site.keys() == []
    assert not list(site.runs.glob("*/input"))


def test_a_command_that_is_long_goes_through_the_bucket(site: SsmSite) -> None:
    result = site.transport().run(script(println("x" * 50_000), println("y")))

    assert result.stdout == b"x" * 50_000 + b"\ny\n"


def test_an_empty_input_needs_no_bucket(site: SsmSite) -> None:
    result = site.transport().run("cat", stdin=iter([b""]))

    assert result.stdout == b""


def test_input_that_cannot_be_fetched_keeps_the_command_from_running(site: SsmSite) -> None:
    transport = SsmTransport(
        INSTANCE, ssm=site.ssm, bucket=_Misled(site.bucket, client=site.s3), folder=str(site.runs)
    )

    with pytest.raises(HostUnreachableError, match="cannot fetch the command's input: curl"):
        transport.run("touch ran", stdin=b"x")

    assert not (site.folder / "home" / "ran").exists()
    assert site.keys() == []


def test_input_is_gone_when_the_run_was_ended(site: SsmSite) -> None:
    with pytest.raises(CommandTimeoutError):
        site.transport().run(script("cat", "sleep 100"), stdin=b"x", timeout_s=1)

    assert site.keys() == []


def test_an_upload_that_is_missing_names_the_cure(site: SsmSite) -> None:
    site.server.faults.no_upload = True

    with pytest.raises(TransportSettingError, match="may its role put objects"):
        site.transport().run("head -c 40000 /dev/zero")


def test_short_output_needs_no_upload(site: SsmSite) -> None:
    site.server.faults.no_upload = True

    result = site.transport().run(redirect(println("x"), duplicate(1, 2)))

    assert result.stderr == b"x\n"


def test_a_bucket_that_is_not_there_is_named(site: SsmSite) -> None:
    transport = SsmTransport(INSTANCE, ssm=site.ssm, bucket=Bucket("missing", client=site.s3))

    with pytest.raises(TransportSettingError, match="NoSuchBucket"):
        transport.run("cat", stdin=b"x")

    assert site.server.requests == []
