from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.hostspec.frames import Frame, Framing, end_frames

_NOISE = st.binary(max_size=30).filter(lambda noise: b"mark" not in noise)
_WORDS = st.lists(st.sampled_from(["begin", "end", "0", "17"]), min_size=1, max_size=3)


@given(frames=st.lists(st.tuples(_NOISE, _WORDS), max_size=6), cuts=st.lists(st.integers(0, 400)))
def test_frames_are_found_wherever_the_output_is_cut(
    frames: list[tuple[bytes, list[str]]], cuts: list[int]
) -> None:
    said = b"".join(noise + f"\nmark {' '.join(words)}\n".encode() for noise, words in frames)
    places = sorted({0, *(cut for cut in cuts if cut < len(said)), len(said)})

    framing = Framing("mark")
    found: list[Frame] = []
    for start, end in pairwise(places):
        found += framing.feed(said[start:end])

    assert found == [Frame(tuple(words), noise) for noise, words in frames]
    assert found == list(end_frames(said, mark="mark"))


def test_a_flood_between_frames_is_not_held() -> None:
    framing = Framing("mark", held_bytes=10)

    for _ in range(1000):
        assert not list(framing.feed(b"x" * 1000))

    assert len(framing.rest) <= 10
    assert list(framing.feed(b"last\nmark end\n")) == [Frame(("end",), b"xxxxxxlast")]


def test_a_frame_that_is_cut_in_its_mark_is_found_after_a_flood() -> None:
    framing = Framing("mark", held_bytes=3)

    assert not list(framing.feed(b"flood flood\nma"))
    assert [frame.words for frame in framing.feed(b"rk end\n")] == [("end",)]
