"""The simulation finds what is broken on purpose; what it cannot find is harmless, and says why."""

import pytest

from chalicelib.simulation.mutants import MUTANTS, Mutant
from chalicelib.simulation.mutation import hunt_all, mutated

_SEEDS = 2000
_SEEDS_FOR_HARMLESS = 25


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_mutant_is_found_or_harmless() -> None:
    harmless = {mutant.name for mutant in MUTANTS if mutant.harmless}

    findings = list(hunt_all(seeds=_SEEDS, seeds_for_harmless=_SEEDS_FOR_HARMLESS))

    assert {finding.name for finding in findings if not finding.told} == harmless


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_the_code_as_it_is_now(mutant: Mutant) -> None:
    """A text that is no longer there would prove nothing, and say so to nobody."""
    compile(mutated(mutant), mutant.file, "exec")


def test_a_text_that_is_not_there_is_an_error() -> None:
    gone = Mutant(name="gone", file="app.py", text="no such text", replacement="")

    with pytest.raises(ValueError, match=r"its text is 0 times in app\.py"):
        mutated(gone)


def test_names_of_mutants_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
