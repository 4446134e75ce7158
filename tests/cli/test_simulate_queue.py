"""The command that runs seeds: what it prints, and what its status says."""

import json

import pytest

from chalicelib.cli.simulate_queue import simulate_queue


def test_seeds_are_summed_up_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    status = simulate_queue(["--seeds", "4", "--first", "7", "--jobs", "1", "--json"])

    figures = json.loads(capsys.readouterr().out)
    assert status == 0
    assert (figures["seeds"], figures["violations"]) == (4, [])
    assert figures["steps"] > figures["writes"] > 0
    assert sum(figures["faults"].values()) > 0


def test_seeds_are_summed_up_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    simulate_queue(["--seeds", "2", "--jobs", "1"])

    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        *("commit", "seeds", "steps", "items written", "faults", "seeds a second", "broken seeds")
    ]


def test_a_trace_is_the_whole_history(capsys: pytest.CaptureFixture[str]) -> None:
    status = simulate_queue(["--first", "3", "--seeds", "1", "--trace"])

    *history, _, last = capsys.readouterr().out.splitlines()
    assert status == 0
    assert last.startswith(f"seed 3: {len(history)} steps, history ")


@pytest.mark.parametrize("words", [["--seeds", "0"], ["--seeds", "x"], ["--jobs", "0"], ["what"]])
def test_what_makes_no_sense_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        simulate_queue(words)

    assert caught.value.code == 2
