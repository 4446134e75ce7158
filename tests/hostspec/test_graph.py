import doctest
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import SpecError
from chalicelib.hostspec import Vertex, dependants, dependencies, graph, in_order

_PAIRS = st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda p: p[0] < p[1]))


def test_the_examples_are_true() -> None:
    assert doctest.testmod(graph).failed == 0


@given(pairs=_PAIRS, places=st.permutations(range(10)))
def test_each_comes_after_all_that_it_depends_on(
    pairs: set[tuple[int, int]], places: list[int]
) -> None:
    given_order = [
        Vertex(name=str(n), needs=tuple(str(low) for low, high in pairs if high == n))
        for n in places
    ]

    at = {each.name: place for place, each in enumerate(in_order(given_order))}

    assert len(at) == 10
    assert all(at[str(low)] < at[str(high)] for low, high in pairs)


@given(places=st.permutations(range(5)))
def test_those_that_depend_on_nothing_stay_as_given(places: list[int]) -> None:
    vertices = tuple(Vertex(name=str(n)) for n in places)

    assert in_order(vertices) == vertices


def test_what_nobody_provides_is_left_to_the_host() -> None:
    page = Vertex(name="page", provides=("path /etc/a",), wants=("path /etc", "path /etc/a"))

    assert dependencies([page]) == {"page": frozenset()}


def test_a_failure_stops_direct_and_indirect_dependants_only() -> None:
    before = dependencies(
        [
            Vertex(name="a", provides=("x",)),
            Vertex(name="b", wants=("x",)),
            Vertex(name="c", needs=("b",)),
            Vertex(name="d"),
        ]
    )

    assert dependants("a", before) == {"b", "c"}


def test_a_circle_is_named() -> None:
    vertices = [Vertex(name="a", needs=("b",)), Vertex(name="b", wants=("x",), provides=("y",))]
    vertices.append(Vertex(name="c", needs=("a",), provides=("x",)))

    with pytest.raises(SpecError) as caught:
        in_order(vertices)

    steps = str(caught.value).removeprefix("a circle: ").split(" needs ")
    before = dependencies(vertices)
    assert steps[0] == steps[-1]
    assert all(low in before[high] for high, low in pairwise(steps))


@pytest.mark.parametrize(
    ("vertices", "reason"),
    [
        ([Vertex(name="a"), Vertex(name="a")], "a is there twice: by a and by a"),
        (
            [Vertex(name="a", provides=("x",)), Vertex(name="b", provides=("x",))],
            "x is there twice: by a and by b",
        ),
        ([Vertex(name="a", needs=("b",))], "a needs b, which is not there"),
    ],
    ids=["same name", "same thing", "absent need"],
)
def test_a_graph_that_cannot_be_meant_is_refused(vertices: list[Vertex], reason: str) -> None:
    with pytest.raises(SpecError, match=reason):
        in_order(vertices)
