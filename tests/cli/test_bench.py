"""`berth bench`: which benchmark runs, and what becomes of its measurements."""

import json
from collections.abc import Sequence
from functools import partial

import pytest

from chalicelib.cli import bench_shell
from chalicelib.cli.bench import BENCHES, bench
from chalicelib.cli.bench_wait import Case, figures_of, measure


@pytest.mark.parametrize("name", BENCHES)
@pytest.mark.parametrize("order", [1, -1])
def test_each_benchmark_explains_itself(
    name: str, order: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        bench([name, "--help"][::order])

    assert ended.value.code == 0
    assert f"usage: berth bench {name}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["pickpu"], ["--json"], ["wait", "pickup"]])
def test_what_is_no_benchmark_is_refused(
    arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        bench(arguments)

    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_each_contender_is_called_as_often_as_the_others() -> None:
    calls: list[str] = []
    case = Case(
        name="any",
        plain=lambda: None,
        contenders={name: partial(calls.append, name) for name in ("berth", "rival")},
    )

    taken = measure(case, 3)

    assert {name: len(values) for name, values in taken.items()} == {"berth": 3, "rival": 3}
    assert calls.count("berth") == calls.count("rival")


def test_a_rival_that_takes_twice_as_long_is_told_so() -> None:
    figures = figures_of({"berth": [1.0, 2.0, 9.0], "rival": [4.0, 4.0, 4.0]})

    assert figures == {"berth_us": 2.0, "rival_us": 4.0, "vs_rival": 2.0}


def test_every_second_round_goes_backwards() -> None:
    calls: list[str] = []
    contenders = {name: partial(calls.append, name) for name in ("berth", "rival")}

    bench_shell.in_turns(contenders, 2, calls=1)

    assert calls == ["berth", "rival", "berth", "rival", "rival", "berth"]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_commands_are_measured_here_and_over_ssh(capsys: pytest.CaptureFixture[str]) -> None:
    """How fast they are is no matter of a test: the machine may be busy."""
    assert bench(["shell", "--rounds", "1", "--json"]) == 0

    figures = json.loads(capsys.readouterr().out)
    assert set(figures) == {
        "local_vs_subprocess",
        "render_us_per_command",
        "ssh_vs_raw_paramiko",
        "vs_plumbum",
        "vs_sh",
        "script_of_50_vs_50_round_trips",
    }
    assert min(figures.values()) > 0
