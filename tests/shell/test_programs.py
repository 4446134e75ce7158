"""Programs at random do the same in the real shells as in the interpreter of the tests."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from chalicelib.shell import Node, assign, last_status, println, ref, render, script
from tests.shell.programs import programs
from tests.shell.reference import interpret
from tests.shell.shells import SHELLS, run_file


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs") / "script"


@settings(
    max_examples=500,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(program=programs(5))
def test_programs_do_what_the_reference_does(program: Node, file: Path) -> None:
    seen_after = println(last_status(), *[ref(name) for name in ("a", "b", "c", "n")], ".")
    program = script(assign("n", 3), program, seen_after)
    expected = interpret(program)

    text = render(program)

    for shell in SHELLS:
        status, seen, errors = run_file(shell, text, file)
        assert (status, seen.decode()) == expected, (shell, text, errors)
