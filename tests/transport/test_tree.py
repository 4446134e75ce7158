"""Ending what a run has started; that it works on real hosts is in the contract."""

import subprocess

from chalicelib.shell import render
from chalicelib.transport.tree import MARK, end_tree
from tests.shell.shells import SHELLS, run


def test_the_script_does_not_hold_the_mark_that_it_looks_for() -> None:
    """Sudo puts what it runs into the environment, where the script would find itself."""
    assert f"{MARK}=cafe" not in render(end_tree("cafe"))


def test_every_shell_ends_a_marked_process_and_no_other() -> None:
    for shell in SHELLS:
        marked = subprocess.Popen(["sleep", "300"], env={MARK: "cafe-1"})
        other = subprocess.Popen(["sleep", "300"], env={MARK: "beef"})

        status, _, errors = run(shell, render(end_tree("cafe-1")))

        assert (status, errors) == (0, b"")
        assert marked.wait(timeout=10) == -15
        assert other.poll() is None
        other.kill()
        other.wait()


def test_a_run_that_is_gone_is_ended_already() -> None:
    for shell in SHELLS:
        assert run(shell, render(end_tree("nobody-has-this")))[0] == 0
