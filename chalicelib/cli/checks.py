"""`berth test` runs everything; `berth check` the part that takes a minute or two."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from chalicelib.cli.frame import command_parser, paint
from chalicelib.errors import LocalStackError
from chalicelib.local.package import package
from chalicelib.local.places import ROOT
from chalicelib.shell import command, duplicate, redirect
from chalicelib.transport import InFolder, LocalTransport, run_attached

__all__ = ["check", "test"]

_MACHINE = "lxd or stack or browser"
"""Tests that share one machine's LXD, emulator and browser, and are timed by it: one at a time."""
_REST = f"not ({_MACHINE})"
_AT_ONCE = ["-n", "auto", "--dist", "loadfile"]
_SLOWEST = ["--durations=15"]
_TAIL_LINES = 60


def test(arguments: Sequence[str]) -> int:
    """Run the checks, then pytest on everything with coverage; 1 when any failed.

    With arguments, only pytest runs, and gets them.
    """
    parser = command_parser(
        "test",
        "Run every check and every test, LXD and browser included. With arguments, only pytest runs, "
        "and gets them.",
        examples=["./berth test", "./berth test tests/queue -k claim", "./berth test -m 'not lxd'"],
    )
    _, passed_on = parser.parse_known_args(arguments)
    if passed_on:
        return min(1, _pytest(*passed_on))
    static = _run_checks(quick_tests=False)
    # The report, and what it must reach, are of both together.
    rest = _pytest(
        "-m", _REST, *_AT_ONCE, "--cov", "--cov-report=", "--cov-fail-under=0", *_SLOWEST
    )
    machine = _pytest("-m", _MACHINE, "--cov", "--cov-append", *_SLOWEST)
    return 0 if static and not rest and not machine else 1


def _pytest(*words: str) -> int:
    """It gets the terminal itself, for its colours, its width and its debugger."""
    return run_attached(command(sys.executable, "-m", "pytest", *words), folder=ROOT)


def check(arguments: Sequence[str]) -> int:
    """Run the quick checks, all of them even if one fails. 1 when any failed."""
    parser = command_parser(
        "check",
        "Format, lint, types, layers, templates, state machines and the quick tests.",
        examples=["./berth check"],
    )
    parser.parse_args(arguments)
    return 0 if _run_checks(quick_tests=True) else 1


def _run_checks(*, quick_tests: bool) -> bool:
    template = ROOT / ".berth/check/template.json"
    checks = _checks(template)
    if not quick_tests:
        del checks["tests"]
    results = [_packages(template), *(_passes(name, each) for name, each in checks.items())]
    return all(results)


def _packages(target: Path) -> bool:
    """Write the template that is deployed to `target`; the parts are not whole without each other."""
    try:
        packed = package(ROOT, target.parent, {})
    except LocalStackError as error:
        return _said("package", str(error).splitlines())
    target.write_text(json.dumps(packed.template))
    return _said("package", [])


def _checks(template: Path) -> dict[str, list[str]]:
    machines = [str(path) for path in sorted((ROOT / "stepfunctions").glob("*.asl.json"))]
    programs = Path(sys.executable).parent
    return {
        "format": [str(programs / "ruff"), "format", "--check", "."],
        "lint": [str(programs / "ruff"), "check", "."],
        "types": [sys.executable, "-m", "mypy"],
        "layers": [str(programs / "lint-imports")],
        "templates": [
            str(programs / "cfn-lint"),
            str(ROOT / "cloudformation/data.yaml"),
            str(template),
        ],
        "state machines": [str(programs / "statelint"), *machines],
        "tests": [sys.executable, "-m", "pytest", "-q", "-m", f"{_REST} and not slow", *_AT_ONCE],
    }


def _passes(name: str, words: Sequence[str]) -> bool:
    both = redirect(command(*words), duplicate(2, 1))
    inherited = os.environ  # noqa: TID251 - handed on to the tools as it is: their caches, a proxy
    done = InFolder(LocalTransport(environment=inherited), str(ROOT)).run(both, check=False)
    return _said(name, [] if done.ok else done.lines or ["no output"])


def _said(name: str, complaints: Sequence[str]) -> bool:
    print(f"{paint('✗', 'red') if complaints else paint('✓', 'green')} {name}", flush=True)
    if complaints:
        print("\n".join(complaints[-_TAIL_LINES:]), flush=True)
    return not complaints
