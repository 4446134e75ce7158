"""What a host is asked, all of it in one script, and what its answers mean.

A fact is one kind of question, such as "what is at this path". Whoever needs to know something
gives an `Ask`: a fact and its subject. `gather_script` puts all subjects of a fact to the host
together, so that a hundred files cost one loop and not a hundred round trips; the same ask by two
resources is put once. Answers are framed by a mark that nothing on the host can know beforehand.

Pure: `hosts` carries the script to the host.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar, cast

from chalicelib.errors import HostSpecError
from chalicelib.hostspec.frames import announce, end_frames, prologue
from chalicelib.shell import Node, last_status, read_from, redirect, script, write_to

__all__ = ["Answers", "Ask", "Fact", "Facts", "gather_script", "read_facts"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Subjects: TypeAlias = tuple[str, ...]
Answers: TypeAlias = Mapping[str, T]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fact(Generic[T_co]):
    """One kind of question. Call it with a subject to ask.

    Attributes:
        name: unique, one word; it names the frame of the answer.
        gather: from subjects, sorted and each once, to the command that prints the answer. Its exit
            status does not count: what cannot be found out is left out of the answer.
        read: from what was printed, and the same subjects, to the answer for each of them.
    """

    name: str
    gather: Callable[[Subjects], Node]
    read: Callable[[bytes, Subjects], Answers[T_co]]

    def __call__(self, subject: str = "") -> "Ask[T_co]":
        """Return the question about a subject."""
        return Ask(self, subject)


@dataclass(frozen=True, slots=True)
class Ask(Generic[T_co]):
    """One question to a host."""

    fact: Fact[T_co]
    subject: str


class Facts:
    """What a host has answered. Immutable."""

    def __init__(self, answers: Mapping[str, Mapping[str, object]]) -> None:
        """Hold answers by name of the fact and by subject."""
        self._answers = answers

    def __getitem__(self, ask: Ask[T]) -> T:
        """Return the answer. Only what was asked can be read: all else is a KeyError, a bug."""
        return cast("T", self._answers[ask.fact.name][ask.subject])


def gather_script(asks: Iterable[Ask[object]], *, mark: str) -> Node:
    """Return the one script that asks everything. It changes nothing on the host.

    Args:
        asks: the questions, in any order, also more than once.
        mark: a word that nobody on the host can know, such as 16 random hexadecimal digits.
    """
    parts = []
    for fact, subjects in _by_fact(asks):
        # Not closed: a program would get the next file that it opens as its stderr.
        quiet = redirect(fact.gather(subjects), read_from("/dev/null"), write_to("/dev/null", fd=2))
        parts += [quiet, announce(mark, fact.name, last_status())]
    return script(*prologue(), *parts)


def read_facts(asks: Iterable[Ask[object]], said: bytes, *, mark: str, host: str) -> Facts:
    """Return what the host answered to the script that was made of the same asks and mark.

    Raises:
        HostSpecError: an answer is missing or cannot be understood.
    """
    frames = {frame.words[0]: frame.before for frame in end_frames(said, mark=mark) if frame.words}
    answers: dict[str, Mapping[str, object]] = {}
    for fact, subjects in _by_fact(asks):
        if fact.name not in frames:
            raise HostSpecError(host=host, reason=f"the host did not answer about its {fact.name}")
        found = fact.read(frames[fact.name], subjects)
        if missing := sorted(set(subjects) - set(found)):
            reason = f"no answer about {fact.name} of {missing[0] or 'the host'}"
            raise HostSpecError(host=host, reason=reason)
        answers[fact.name] = found
    return Facts(answers)


def _by_fact(asks: Iterable[Ask[object]]) -> list[tuple[Fact[object], Subjects]]:
    facts: dict[str, Fact[object]] = {}
    subjects: dict[str, set[str]] = {}
    for ask in asks:
        facts.setdefault(ask.fact.name, ask.fact)
        subjects.setdefault(ask.fact.name, set()).add(ask.subject)
    return [(fact, tuple(sorted(subjects[name]))) for name, fact in facts.items()]
