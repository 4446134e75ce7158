"""Runs the simulation over a mutant, in a process of its own, until something is found.

The mutant is applied as its module is imported, by a loader that replaces the text; no file is
touched. So nothing of the product may be imported here before.
"""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from multiprocessing import get_context
from pathlib import Path
from types import CodeType, ModuleType

from chalicelib.simulation.mutants import MUTANTS, Mutant

__all__ = ["Finding", "MutatedLoader", "hunt", "hunt_all", "mutated"]

_ROOT = Path(__file__).parents[2]
_AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the hunt for a mutant came to.

    Attributes:
        name: of the mutant.
        seeds: how many were run; 0 when a single disturbed call was enough.
        told: the first violation; empty when there was none.
    """

    name: str
    seeds: int
    told: str = ""


def mutated(mutant: Mutant) -> str:
    """Return the file's text with the mutant in it.

    Raises:
        ValueError: its text is not there exactly once: the table is out of date.
    """
    source = (_ROOT / mutant.file).read_text(encoding="utf-8")
    if source.count(mutant.text) != 1:
        times = source.count(mutant.text)
        raise ValueError(f"{mutant.name}: its text is {times} times in {mutant.file}")
    return source.replace(mutant.text, mutant.replacement)


class MutatedLoader(SourceFileLoader):
    """Loads the mutant's module from the changed text; no bytecode is kept."""

    def __init__(self, name: str, mutant: Mutant) -> None:
        super().__init__(name, str(_ROOT / mutant.file))
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        """Return the changed module's code."""
        del fullname  # it loads the one module
        code: CodeType = compile(mutated(self._mutant), self.path, "exec", dont_inherit=True)
        return code


class _MutatingFinder(MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._module = mutant.file.removesuffix(".py").replace("/", ".")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and fullname == self._module:
            spec.loader = MutatedLoader(fullname, self._mutant)
        return spec


def hunt(mutant: Mutant, seeds: int) -> Finding:
    """Put the mutant into this process, and look for what it breaks. Call it once in a process."""
    sys.meta_path.insert(0, _MutatingFinder(mutant))
    crashes = import_module("chalicelib.simulation.crashes")
    told = crashes.harm_by_one_fault()
    if told:
        return Finding(name=mutant.name, seeds=0, told=told)
    run_seed = import_module("chalicelib.simulation.seed").run_seed
    for seed in range(1, seeds + 1):
        violations = run_seed(seed).violations
        if violations:
            return Finding(name=mutant.name, seeds=seed, told=str(violations[0]))
    return Finding(name=mutant.name, seeds=seeds)


def hunt_all(*, seeds: int, seeds_for_harmless: int) -> Iterator[Finding]:
    """Hunt every mutant, two at a time, each in a process of its own; yield in the table's order."""
    most = [seeds_for_harmless if mutant.harmless else seeds for mutant in MUTANTS]
    context = get_context("spawn")  # a process that was forked has the true modules already
    with ProcessPoolExecutor(_AT_ONCE, mp_context=context, max_tasks_per_child=1) as pool:
        yield from pool.map(hunt, MUTANTS, most)
