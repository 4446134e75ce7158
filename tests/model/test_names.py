from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model import attempt_name, container_name, job_id, parse_container_name, pipeline_id
from chalicelib.model.names import ATTEMPT_NAME

_FENCES = st.integers(min_value=1, max_value=999_999_999)


def _pipeline(**changes: str) -> str:
    parts = {
        "installation": "1",
        "repository_id": "2",
        "event": "push",
        "head_sha": "a" * 40,
        "ref": "refs/heads/main",
        "rerun": "0",
        **changes,
    }
    rerun = int(parts.pop("rerun"))
    return pipeline_id(rerun=rerun, **parts)


def test_the_same_event_has_the_same_id() -> None:
    assert _pipeline() == _pipeline()


def test_each_part_of_the_identity_changes_the_id() -> None:
    others = [
        _pipeline(installation="9"),
        _pipeline(repository_id="9"),
        _pipeline(event="pull_request"),
        _pipeline(head_sha="b" * 40),
        _pipeline(ref="refs/heads/other"),
        _pipeline(rerun="1"),
    ]

    assert len({_pipeline(), *others}) == 7


@given(st.text(max_size=20), st.text(max_size=20))
def test_parts_cannot_be_moved_into_each_other(left: str, right: str) -> None:
    moved = _pipeline(installation=left + right, repository_id="")
    apart = _pipeline(installation=left, repository_id=right)

    assert (moved == apart) is (right == "")


@given(st.text(max_size=30), _FENCES)
def test_a_containers_name_gives_back_its_attempt(name: str, fence: int) -> None:
    job = job_id("p", name)

    assert parse_container_name(container_name(job, fence)) == (job, fence)
    assert ATTEMPT_NAME.match(attempt_name(job, fence))
    assert len(container_name(job, fence)) <= 63  # LXD takes host names


@given(st.text())
def test_a_foreign_container_is_nobodys(name: str) -> None:
    parsed = parse_container_name(name)

    assert parsed is None or container_name(*parsed) == name
