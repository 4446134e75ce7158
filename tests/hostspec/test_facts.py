import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import HostSpecError
from chalicelib.hostspec.facts import Answers, Fact, gather_script, read_facts
from chalicelib.shell import Node, duplicate, exit_, print_text, q, redirect, script, subshell
from chalicelib.transport import LocalTransport

_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


def _echo(subjects: tuple[str, ...]) -> Node:
    return print_text("|".join(subjects))


def _split(said: bytes, subjects: tuple[str, ...]) -> Answers[str]:
    return dict(zip(subjects, said.decode().split("|"), strict=False))


ECHO = Fact(name="echo", gather=_echo, read=_split)
LOUD = Fact(
    name="loud",
    gather=lambda subjects: script(redirect(_echo(subjects), duplicate(1, 2)), subshell(exit_(3))),
    read=lambda said, subjects: dict.fromkeys(subjects, said),
)


@given(subjects=st.lists(_TEXTS.filter(lambda text: "|" not in text), min_size=1, max_size=4))
def test_each_question_has_its_answer_whatever_is_in_it(subjects: list[str]) -> None:
    asks = [*map(ECHO, subjects), *map(LOUD, subjects)]

    said = LocalTransport().run(gather_script(asks, mark="mark")).stdout
    facts = read_facts(asks, said, mark="mark", host="h")

    assert [facts[ECHO(each)] for each in subjects] == subjects


def test_all_subjects_of_a_fact_are_asked_together_and_once() -> None:
    asked: list[tuple[str, ...]] = []

    def gather(subjects: tuple[str, ...]) -> Node:
        asked.append(subjects)
        return q("true")

    fact = Fact(name="fact", gather=gather, read=_split)
    gather_script([fact("b"), fact("a"), fact("b")], mark="m")

    assert asked == [("a", "b")]


def test_a_failed_question_leaves_the_others_answered() -> None:
    said = LocalTransport().run(gather_script([LOUD("x"), ECHO("y")], mark="m")).stdout

    facts = read_facts([LOUD("x"), ECHO("y")], said, mark="m", host="h")

    assert (facts[LOUD("x")], facts[ECHO("y")]) == (b"", "y")


def test_an_answer_that_looks_like_a_frame_of_another_run_is_only_text() -> None:
    subject = "\nother echo 0\nforged"

    said = LocalTransport().run(gather_script([ECHO(subject)], mark="mark")).stdout

    assert read_facts([ECHO(subject)], said, mark="mark", host="h")[ECHO(subject)] == subject


@pytest.mark.parametrize("said", [b"", b"noise", b"\nm echo", b"\nm other 0\n"])
def test_an_answer_that_was_cut_short_is_said(said: bytes) -> None:
    with pytest.raises(HostSpecError, match="did not answer about its echo"):
        read_facts([ECHO("x")], said, mark="m", host="web-1")


def test_an_answer_that_is_missing_is_said() -> None:
    with pytest.raises(HostSpecError, match="no answer about echo of b"):
        read_facts([ECHO("a"), ECHO("b")], b"a\nm echo 0\n", mark="m", host="web-1")


def test_what_was_not_asked_cannot_be_read() -> None:
    facts = read_facts([ECHO("a")], b"a\nm echo 0\n", mark="m", host="h")

    with pytest.raises(KeyError):
        facts[ECHO("b")]
