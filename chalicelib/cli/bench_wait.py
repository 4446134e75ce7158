"""`berth bench wait`: what a wait costs beside the work it does, tenacity and stamina alongside.

All three call the same functions, without sleeping between tries, in turns within one process, so
that each sees the same machine. A hand-written loop is measured too and taken off. The rivals are
installed for this alone, and with their logging off.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from chalicelib.cli.frame import command_parser, print_json, print_table
from chalicelib.cli.rivals import make_importable
from chalicelib.clock import SystemClock
from chalicelib.local.progress import Progress
from chalicelib.wait import WaitPolicy, did_not_raise, wait_for

__all__ = ["Case", "bench_wait", "figures_of", "measure"]

_TRIES = 5
_CALLS = 500
_DIGITS = 2

Call = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One situation, as each contender handles it.

    Attributes:
        name: what happens in it.
        plain: the same by hand, to be taken off.
        contenders: the same by each library, by the library's name.
    """

    name: str
    plain: Call
    contenders: Mapping[str, Call]


def bench_wait(arguments: Sequence[str]) -> int:
    """Measure the overhead of one wait in microseconds, and print medians and ratios."""
    parser = command_parser(
        "bench wait",
        "Measure what a wait costs beside its work, with tenacity and stamina alongside.",
        examples=["./berth bench wait", "./berth bench wait --rounds 100 --json"],
    )
    parser.add_argument("--rounds", type=int, default=40, help="default: 40")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args(arguments)

    progress = Progress()
    make_importable(progress)
    cases = _cases(import_module("tenacity"), import_module("stamina"))
    with progress.step(f"{asked.rounds} rounds, in turns"):
        figures = {case.name: figures_of(measure(case, asked.rounds)) for case in cases}
    _print(figures, as_json=asked.json)
    return 0


def measure(case: Case, rounds: int) -> dict[str, list[float]]:
    """Return microseconds per call of each contender above the plain call, one for each round."""
    taken: dict[str, list[float]] = {name: [] for name in case.contenders}
    for _ in range(rounds):
        plain = _per_call_us(case.plain)
        for name, call in case.contenders.items():
            taken[name].append(_per_call_us(call) - plain)
    return taken


def figures_of(taken: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return each contender's median, and how many times Berth's the rivals' are.

    >>> figures_of({"berth": [1.0, 2.0, 3.0], "tenacity": [9.0, 10.0, 12.0]})
    {'berth_us': 2.0, 'tenacity_us': 10.0, 'vs_tenacity': 5.0}
    """
    medians = {name: statistics.median(values) for name, values in taken.items()}
    figures = {f"{name}_us": round(median, _DIGITS) for name, median in medians.items()}
    berth = medians.pop("berth")
    return figures | {
        f"vs_{name}": round(median / berth, _DIGITS) for name, median in medians.items()
    }


def _per_call_us(call: Call) -> float:
    started = time.perf_counter()
    for _ in range(_CALLS):
        call()
    return (time.perf_counter() - started) / _CALLS * 1e6


def _ready() -> bool:
    return True


def _third_time_lucky() -> Call:
    calls = 0

    def call() -> bool:
        nonlocal calls
        calls += 1
        if calls % 3:
            raise ConnectionError
        return True

    return call


def _by_hand(call: Call) -> Call:
    def waited() -> object:
        while True:
            try:
                return call()
            except ConnectionError:
                continue

    return waited


def _cases(tenacity: Any, stamina: Any) -> list[Case]:
    """Three situations: prepared and ready, prepared and twice refused, and options at the call."""
    stamina.instrumentation.set_on_retry_hooks(())
    # Both would sleep for zero seconds, which costs 80 us here and is no overhead of theirs.
    tenacity.nap.time = SimpleNamespace(sleep=lambda _: None)
    policy = WaitPolicy(tries=_TRIES, sleep=None, catch=ConnectionError, success=did_not_raise)
    clock = SystemClock()
    for_tenacity = {
        "stop": tenacity.stop_after_attempt(_TRIES),
        "wait": tenacity.wait_none(),
        "retry": tenacity.retry_if_exception_type(ConnectionError),
        "reraise": True,
    }
    for_stamina = {"attempts": _TRIES, "timeout": None, "wait_initial": 0}
    for_stamina |= {"wait_max": 0, "wait_jitter": 0}

    def prepared(name: str, make: Callable[[], Call]) -> Case:
        call = make()
        contenders = {
            "berth": lambda: policy.wait(call, clock=clock),
            "tenacity": tenacity.retry(**for_tenacity)(make()),
            "stamina": stamina.retry(on=ConnectionError, **for_stamina)(make()),
        }
        return Case(name=name, plain=_by_hand(make()), contenders=contenders)

    at_the_call = {
        "berth": lambda: wait_for(
            _ready,
            clock=clock,
            tries=_TRIES,
            sleep=None,
            catch=ConnectionError,
            success=did_not_raise,
        ),
        "tenacity": lambda: tenacity.Retrying(**for_tenacity)(_ready),
        "stamina": lambda: stamina.RetryingCaller(**for_stamina)(ConnectionError, _ready),
    }
    return [
        prepared("first_try", lambda: _ready),
        prepared("third_try", _third_time_lucky),
        Case(name="options_at_the_call", plain=_by_hand(_ready), contenders=at_the_call),
    ]


def _print(figures: Mapping[str, Mapping[str, float]], *, as_json: bool) -> None:
    if as_json:
        print_json(figures)
        return
    print("overhead of one wait, medians\n")
    for name, row in figures.items():
        print(name.replace("_", " "))
        units = {key: "us" if key.endswith("_us") else "times Berth's" for key in row}
        print_table([(f"  {key}", f"{value:8.2f} {units[key]}") for key, value in row.items()])
