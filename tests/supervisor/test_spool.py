from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.supervisor.spool import Spool, limit_notice


@given(
    writes=st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=30)), max_size=20),
    limit=st.integers(0, 200),
)
def test_what_is_kept_is_the_beginning_and_one_notice(
    tmp_path_factory: object, writes: list[tuple[int, bytes]], limit: int
) -> None:
    assert hasattr(tmp_path_factory, "mktemp")
    arrivals: list[int] = []
    directory: Path = tmp_path_factory.mktemp("spool") / "output"
    spool = Spool(directory, limit_bytes=limit, arrived=arrivals.append)

    for step, data in writes:
        spool.write(step, data)

    stored = {step: spool.read(step, 0, size) for step, size in spool.sizes().items()}
    total = sum(len(data) for _, data in writes)
    kept = b"".join(stored.values())
    assert kept.count(limit_notice(limit)) == (1 if total > limit else 0)
    assert len(kept.replace(limit_notice(limit), b"")) == min(total, limit)
    assert set(arrivals) == set(stored)


def test_a_note_of_ours_comes_through_beyond_the_limit(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "output", limit_bytes=0, arrived=lambda _step: None)

    spool.note(0, "no output for 10 min: stopped")

    assert spool.read(0, 0, 100) == b"[berth] no output for 10 min: stopped\n"


def test_a_later_supervisor_takes_over_what_is_stored(tmp_path: Path) -> None:
    first = Spool(tmp_path / "output", limit_bytes=100, arrived=lambda _step: None)
    first.write(3, b"abc")

    second = Spool(tmp_path / "output", limit_bytes=100, arrived=lambda _step: None)

    assert second.sizes() == {3: 3}
    assert second.read(3, 1, 10) == b"bc"
