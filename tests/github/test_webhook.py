"""Deliveries: signatures, bodies, and what each event asks for."""

import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.errors import PayloadError, SignatureError
from chalicelib.github import (
    Delivery,
    Ignored,
    PipelineRequest,
    Pong,
    decode_body,
    read_delivery,
    verify_signature,
)
from chalicelib.model import Source

REAL = Path(__file__).parents[3] / "shared" / "cases" / "github-webhooks"
SHA = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
ZEROS = "0" * 40

# How long an example takes depends on who else uses the machine.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

# The vector of <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>.
SECRET = "It's a Secret to Everybody"  # noqa: S105 GitHub published it
BODY = b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

REPOSITORY = {
    "id": 186853002,
    "full_name": "Codertocat/Hello-World",
    "clone_url": "https://github.com/Codertocat/Hello-World.git",
}


def push(**changes: Any) -> dict[str, Any]:
    return {
        "ref": "refs/heads/main",
        "before": ZEROS,
        "after": SHA,
        "deleted": False,
        "repository": REPOSITORY,
        "pusher": {"name": "Codertocat"},
        "head_commit": {"message": "Fix the door\n\nIt squeaked."},
        **changes,
    }


def pull_request(*, head_repository: Mapping[str, Any] | None, **changes: Any) -> dict[str, Any]:
    return {
        "action": "opened",
        "repository": REPOSITORY,
        "pull_request": {
            "number": 7,
            "title": "Fix the door",
            "user": {"login": "octocat"},
            "head": {"sha": SHA, "repo": head_repository},
        },
        **changes,
    }


def test_githubs_published_signature_is_accepted() -> None:
    verify_signature(BODY, SIGNATURE, [SECRET])


def test_either_secret_is_accepted_during_rotation() -> None:
    verify_signature(BODY, SIGNATURE, ["the new one", SECRET])
    verify_signature(BODY, SIGNATURE, [SECRET, "the new one"])


@pytest.mark.parametrize(
    ("header", "secrets"),
    [
        (None, [SECRET]),
        ("", [SECRET]),
        ("sha1=757107ea0eb2509fc211221cce984b8a37570b6d", [SECRET]),
        (SIGNATURE.removeprefix("sha256="), [SECRET]),
        (SIGNATURE[:-1] + "8", [SECRET]),
        (SIGNATURE + "\n", [SECRET]),
        (SIGNATURE.replace("7", "\N{ARABIC-INDIC DIGIT SEVEN}"), [SECRET]),
        (SIGNATURE, ["another"]),
        (SIGNATURE, []),
    ],
    ids=[
        "missing",
        "empty",
        "sha1",
        "bare",
        "altered",
        "newline",
        "digits",
        "other",
        "none",
    ],
)
def test_any_other_signature_is_refused(header: str | None, secrets: list[str]) -> None:
    with pytest.raises(SignatureError):
        verify_signature(BODY, header, secrets)


def test_an_empty_secret_matches_nothing_even_when_signed_with_it() -> None:
    signed_with_nothing = "sha256=" + hmac.digest(b"", BODY, "sha256").hex()

    with pytest.raises(SignatureError):
        verify_signature(BODY, signed_with_nothing, [""])


def test_an_altered_body_is_refused_without_telling_the_expected_signature() -> None:
    with pytest.raises(SignatureError) as caught:
        verify_signature(BODY + b" ", SIGNATURE, [SECRET])

    assert "757107ea" not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (b'{"zen": "a=b&c"}', "application/json"),
        (b'{"zen": "a=b&c"}', ""),
        (
            b"payload=%7B%22zen%22%3A+%22a%3Db%26c%22%7D",
            "application/x-www-form-urlencoded; charset=utf-8",
        ),
    ],
    ids=["json", "untyped", "form"],
)
def test_both_content_types_carry_the_same_payload(raw: bytes, content_type: str) -> None:
    assert decode_body(raw, content_type) == {"zen": "a=b&c"}


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (b"", "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b"{", "application/json"),
        (b'{"a": NaN}', "application/json"),
        (b'{"a": -Infinity}', "application/json"),
        (b'{"a": "\xff"}', "application/json"),
        (b'{"a": ' + b"9" * 5000 + b"}", "application/json"),
        (b'{"a": ' * 100_000, "application/json"),
        (b"[" * 100_000 + b"]" * 100_000, "application/json"),
        (b"no=payload", "application/x-www-form-urlencoded"),
        (b"payload=%7B%7D&payload=%7B%7D", "application/x-www-form-urlencoded"),
        (b"a=&" * 1000, "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_not_one_json_object_is_refused(raw: bytes, content_type: str) -> None:
    with pytest.raises(PayloadError) as caught:
        decode_body(raw, content_type)

    assert caught.value.status == 400


def test_a_push_to_a_branch_asks_for_a_pipeline() -> None:
    before = "a" * 40

    asked = read_delivery("push", "guid-1", push(before=before, installation={"id": 42}))

    assert asked == PipelineRequest(
        installation="42",
        source=Source(
            repository="Codertocat/Hello-World",
            repository_id="186853002",
            clone_url="https://github.com/Codertocat/Hello-World.git",
            sha=SHA,
            ref="refs/heads/main",
            before=before,
            title="Fix the door",
            author="Codertocat",
        ),
        event="push",
        delivery="guid-1",
    )


def test_a_push_that_no_app_sent_belongs_to_the_local_installation() -> None:
    asked = read_delivery("push", "guid-1", json.dumps(push()).encode())

    assert isinstance(asked, PipelineRequest)
    assert asked.installation == "local"
    assert asked.source.before == ""


def test_a_signed_push_may_ask_for_a_rerun_of_one_job() -> None:
    asked = read_delivery("push", "guid-1", push(berth={"rerun": 3, "job": "build"}))

    assert isinstance(asked, PipelineRequest)
    assert (asked.rerun, asked.only_job) == (3, "build")


def test_a_pull_request_from_a_branch_of_the_repository_asks_for_a_pipeline() -> None:
    payload = pull_request(head_repository=REPOSITORY, action="synchronize", before="b" * 40)

    asked = read_delivery("pull_request", "guid-2", payload)

    assert isinstance(asked, PipelineRequest)
    assert asked.event == "pull_request"
    assert asked.source.ref == "refs/pull/7"
    assert asked.source.sha == SHA
    assert asked.source.before == "b" * 40
    assert (asked.source.title, asked.source.author) == ("Fix the door", "octocat")


@pytest.mark.parametrize("head", [None, {"id": 1}], ids=["deleted-fork", "fork"])
def test_a_pull_request_from_a_fork_is_not_built(head: Mapping[str, Any] | None) -> None:
    answer = read_delivery("pull_request", "guid", pull_request(head_repository=head))

    assert answer == Ignored(reason="pull requests from forks are not built unless switched on")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"deleted": True, "after": ZEROS, "head_commit": None}, "branch deleted"),
        ({"deleted": True, "ref": "refs/tags/v1"}, "ref deleted"),
        (
            {"ref": "refs/tags/v1"},
            "tags build only with a tag filter, which is not supported yet",
        ),
        ({"ref": "refs/notes/commits"}, "only branches and pull requests build"),
        ({"head_commit": None}, "the push has no head commit"),
        ({"head_commit": {"message": "Tidy [skip ci]"}}, "the head commit says [ci skip]"),
        ({"head_commit": {"message": "Tidy\n\n[ci skip]"}}, "the head commit says [ci skip]"),
    ],
)
def test_a_push_that_asks_for_nothing_says_why(changes: dict[str, Any], reason: str) -> None:
    assert read_delivery("push", "guid", push(**changes)) == Ignored(reason=reason)


@pytest.mark.parametrize(
    "message",
    ["x" * 250 + "[ci skip]", "Tidy\n\n" + "x" * 250 + "[skip ci]", "[CI SKIP]", "ci skip"],
    ids=["late-in-title", "late-in-body", "capitals", "no-brackets"],
)
def test_a_skip_marker_counts_only_early_and_as_written(message: str) -> None:
    asked = read_delivery("push", "guid", push(head_commit={"message": message}))

    assert isinstance(asked, PipelineRequest)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ref": None}, "ref"),
        ({"ref": "main"}, "ref"),
        ({"ref": "refs/heads/a..b"}, "ref"),
        ({"ref": "refs/heads/a\nb"}, "ref"),
        ({"ref": "refs/heads/--upload-pack=x"}, "ref"),
        ({"ref": "refs/heads/\ud800"}, "ref"),
        ({"ref": "refs/heads/" + "x" * 2000}, "ref"),
        ({"after": "abc"}, "after"),
        ({"after": SHA + "\n"}, "after"),
        ({"after": SHA.upper()}, "after"),
        ({"before": 1}, "before"),
        ({"deleted": "yes"}, "deleted"),
        ({"head_commit": []}, "head_commit"),
        ({"head_commit": {}}, "head_commit.message"),
        ({"repository": None}, "repository"),
        ({"repository": {**REPOSITORY, "id": "1"}}, "repository.id"),
        ({"repository": {**REPOSITORY, "id": True}}, "repository.id"),
        ({"repository": {**REPOSITORY, "full_name": "a/b/c"}}, "repository.full_name"),
        ({"repository": {**REPOSITORY, "full_name": "../x"}}, "repository.full_name"),
        ({"repository": {**REPOSITORY, "clone_url": "file:///etc"}}, "repository.clone_url"),
        ({"repository": {**REPOSITORY, "clone_url": "--config=x"}}, "repository.clone_url"),
        ({"repository": {**REPOSITORY, "clone_url": "https://u:p@h/x"}}, "repository.clone_url"),
        ({"repository": {**REPOSITORY, "clone_url": "https://[/x"}}, "repository.clone_url"),
        ({"repository": {**REPOSITORY, "clone_url": "https://h/ x"}}, "repository.clone_url"),
        ({"repository": {**REPOSITORY, "clone_url": "http://h:x/y"}}, "repository.clone_url"),
        ({"installation": 7}, "installation"),
        ({"installation": {"id": -1}}, "installation.id"),
        ({"pusher": "me"}, "pusher"),
        ({"berth": {"rerun": -1}}, "berth.rerun"),
        ({"berth": {"rerun": 1.5}}, "berth.rerun"),
        ({"berth": {"job": ""}}, "berth.job"),
        ({"berth": {"job": "a\x1b[2J"}}, "berth.job"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(PayloadError) as caught:
        read_delivery("push", "guid", push(**changes))

    assert caught.value.status == 400
    assert caught.value.reason.startswith(f"{field} is not ")


def test_text_for_people_is_one_bounded_printable_line() -> None:
    message = "\x1b[31mred\ud800" + "x" * 500

    asked = read_delivery("push", "guid\r\n", push(head_commit={"message": message}))

    assert isinstance(asked, PipelineRequest)
    assert asked.source.title.isprintable()
    assert len(asked.source.title) <= 200
    assert asked.delivery == "guid"


def test_a_ping_is_answered() -> None:
    assert read_delivery("ping", "guid", {"zen": "Keep it logical."}) == Pong(
        zen="Keep it logical."
    )


@pytest.mark.parametrize("event", ["watch", "check_run", "no_such_event", ""])
def test_every_other_event_is_ignored_with_a_reason(event: str) -> None:
    answer = read_delivery(event, "guid", {})

    assert isinstance(answer, Ignored)
    assert answer.reason


def test_every_payload_that_github_publishes_is_answered() -> None:
    files = sorted(REAL.rglob("*.json"))
    if not files:
        pytest.skip(f"the collected payloads are not here: {REAL}")

    answers: dict[str, Delivery] = {
        str(path.relative_to(REAL)): read_delivery(path.parent.name, "guid", path.read_bytes())
        for path in files
    }

    unknown = Ignored(reason="this event is not known")
    assert [name for name, answer in answers.items() if answer == unknown] == []
    assert {name for name, answer in answers.items() if isinstance(answer, PipelineRequest)} == {
        "push/payload-5.json",
        "push/payload-6.json",
        "pull_request/opened.json",
        "pull_request/reopened-2.json",
        "pull_request/reopened.json",
        "pull_request/synchronize.json",
    } & set(answers)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
EVENTS = st.sampled_from(["push", "pull_request", "ping", "watch"])
FIELDS = st.sampled_from(
    [*push(), *pull_request(head_repository=REPOSITORY), "berth", "installation", "zen"]
)
INNER = st.sampled_from(
    ["id", "full_name", "clone_url", "message", "name", "rerun", "job", "sha", "repo", "head"]
)


@unhurried
@given(EVENTS, st.dictionaries(FIELDS, JSON | st.dictionaries(INNER, JSON, max_size=3)))
def test_arbitrary_json_raises_nothing_but_a_payload_error(
    event: str, changes: dict[str, Any]
) -> None:
    payload = {**pull_request(head_repository=REPOSITORY), **push(), **changes}

    try:
        answer = read_delivery(event, "guid", payload)
    except PayloadError as error:
        outcome: object = error.reason.isprintable()
    else:
        outcome = isinstance(answer, PipelineRequest | Ignored | Pong)

    assert outcome is True


@unhurried
@given(st.binary(), st.sampled_from(["application/json", "application/x-www-form-urlencoded"]))
def test_arbitrary_bytes_raise_nothing_but_a_payload_error(raw: bytes, content_type: str) -> None:
    try:
        decoded: object = decode_body(raw, content_type)
    except PayloadError:
        decoded = {}

    assert isinstance(decoded, dict)
