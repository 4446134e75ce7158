"""The rules of the house that no other tool checks: sizes, mirroring, names, settings, shell."""

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from chalicelib import errors
from chalicelib.settings import Settings

_ROOT = Path(__file__).resolve().parent.parent
_MAX_FUNCTION = 50
_MAX_MODULE = 400
_LONGER = {"chalicelib/errors.py": 500}
"""One tree of errors in one file: it grows with the product and has no second reason to change."""
_OF_THE_PLATFORM = re.compile(r"^(States|Lambda)\.[A-Za-z]+$")
_VERB_NOUN = re.compile(r"^[A-Z][a-z]+([A-Z][a-z]+)+$")
_ARN_RESOURCES = (
    "arn:aws:states:::lambda:invoke",
    "arn:aws:states:::lambda:invoke.waitForTaskToken",
)
_NO_MIRROR = {"__init__", "protocol", "__main__"}


def _tracked(*patterns: str) -> list[Path]:
    """Files of the repository as git sees them: tracked, or new and not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True).stdout
    return [path for line in listed.splitlines() if (path := _ROOT / line).is_file()]


def _name(path: Path) -> str:
    return str(path.relative_to(_ROOT))


_PYTHON = [*_tracked("*.py"), _ROOT / "berth"]
_PRODUCT = [path for path in _PYTHON if "chalicelib" in path.parts]
_MACHINES = _tracked("stepfunctions/*.asl.json")


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in machine["States"].items():
        yield name, state
        for branch in [*state.get("Branches", []), *filter(None, [state.get("ItemProcessor")])]:
            yield from _states(branch)


def _handlers(path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, state in _states(json.loads(path.read_text())):
        for kind in ("Retry", "Catch"):
            for handler in state.get(kind, []):
                yield name, kind, handler


@pytest.mark.parametrize("path", _PYTHON, ids=_name)
def test_modules_and_functions_are_short(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    long = {
        each.name: length
        for each in _functions(path)
        if (length := (each.end_lineno or 0) - each.lineno + 1) > _MAX_FUNCTION
    }

    assert lines <= _LONGER.get(_name(path), _MAX_MODULE)
    assert not long


@pytest.mark.parametrize("path", _PRODUCT, ids=_name)
def test_exported_names_are_sorted_and_exist(path: Path) -> None:
    """A public name is in `__all__`; what is not there is private."""
    tree = ast.parse(path.read_text())
    if not any(not isinstance(node, ast.Expr) for node in tree.body):
        return  # a docstring alone

    exported = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and [getattr(target, "id", "") for target in node.targets] == ["__all__"]
    ]

    assert len(exported) == 1
    assert list(exported[0]) == sorted(exported[0], key=_isort_order)
    assert set(exported[0]) <= _bound_names(tree)
    assert _public_names(tree) <= set(exported[0])


def _isort_order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: ruff's order."""
    rank = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return rank, name


def _public_names(tree: ast.Module) -> set[str]:
    """Routes are left out: their decorator registers them."""
    routes = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any("blueprint.route" in ast.unparse(each) for each in node.decorator_list)
    }
    return {name for name in _defined_names(tree) - routes if not name.startswith("_")}


def _defined_names(tree: ast.Module) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


def _bound_names(tree: ast.Module) -> set[str]:
    names = _defined_names(tree)
    late = "__getattr__" in names  # what type checkers see is imported when it is first used
    under = [node for each in tree.body if late and isinstance(each, ast.If) for node in each.body]
    for node in [*tree.body, *under]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


@pytest.mark.parametrize("path", _tracked("tests/*/test_*.py", "tests/*/*/test_*.py"), ids=_name)
def test_tests_mirror_the_product(path: Path) -> None:
    """`tests/queue/test_dynamodb.py` tests `chalicelib/queue/dynamodb.py`, or the package."""
    parts = path.relative_to(_ROOT / "tests").parts
    if parts[0] in {"contract", "stepfunctions", "system", "examples"}:
        return  # about protocols, machines, the whole stack: no one module

    assert (_ROOT / "chalicelib" / Path(*parts[:-1])).is_dir()


@pytest.mark.parametrize("path", _MACHINES, ids=_name)
def test_states_are_named_verb_and_noun(path: Path) -> None:
    wrong = [
        name for name, _ in _states(json.loads(path.read_text())) if not _VERB_NOUN.match(name)
    ]

    assert not wrong


@pytest.mark.parametrize("path", _MACHINES, ids=_name)
def test_named_errors_exist(path: Path) -> None:
    named = {error for *_, handler in _handlers(path) for error in handler["ErrorEquals"]}

    unknown = {error for error in named if not _OF_THE_PLATFORM.match(error)} - set(errors.__all__)

    assert named
    assert not unknown


@pytest.mark.parametrize("path", _MACHINES, ids=_name)
def test_the_catch_for_all_stands_alone_and_last(path: Path) -> None:
    """Amazon refuses it beside other names or before other handlers; no validator says so."""
    for name, state in _states(json.loads(path.read_text())):
        for kind in ("Retry", "Catch"):
            lists = [handler["ErrorEquals"] for handler in state.get(kind, [])]
            places = [place for place, each in enumerate(lists) if "States.ALL" in each]

            assert all(lists[place] == ["States.ALL"] for place in places), (name, kind)
            assert places in ([], [len(lists) - 1]), (name, kind)


@pytest.mark.parametrize("path", _MACHINES, ids=_name)
def test_a_heartbeat_is_shorter_than_its_time_out(path: Path) -> None:
    """Amazon refuses the opposite; no validator says so."""
    beating = [
        (state["HeartbeatSeconds"], state.get("TimeoutSeconds"))
        for _, state in _states(json.loads(path.read_text()))
        if "HeartbeatSeconds" in state
    ]

    assert all(limit is not None and heartbeat < limit for heartbeat, limit in beating)


@pytest.mark.parametrize("path", _MACHINES, ids=_name)
def test_tasks_call_functions_only(path: Path) -> None:
    """EC2 and SSM are called from Lambdas, and no task polls."""
    resources = {
        state["Resource"]
        for _, state in _states(json.loads(path.read_text()))
        if state["Type"] == "Task"
    }

    assert resources <= set(_ARN_RESOURCES)


def test_each_setting_is_documented() -> None:
    documented = set(re.findall(r"`(BERTH_[A-Z_]+)`", (_ROOT / "docs/settings.md").read_text()))

    variables = {field.metadata["variable"] for field in fields(Settings)}

    assert variables <= documented


def test_no_shell_is_written_by_hand() -> None:
    shebang = re.compile(rb"^#!.*\b(ba|da|z|k)?sh\b")
    scripts = [
        _name(path)
        for path in _tracked()
        if path.suffix in {".sh", ".bash"} or shebang.match(path.read_bytes()[:80])
    ]

    assert scripts == [".ci/run"]


@pytest.mark.parametrize("path", _PYTHON, ids=_name)
def test_nothing_is_passed_to_a_shell(path: Path) -> None:
    tree = ast.parse(path.read_text())

    calls = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "shell" and _is_true(node.value)
    ]

    assert not calls


def _is_true(value: ast.expr) -> bool:
    return not (isinstance(value, ast.Constant) and value.value is False)


_WAITING_LOOPS = {
    "chalicelib/local/emulator_main.py": "may import nothing of ours; saves at most so often",
    "chalicelib/transport/ssm.py": "is a clock: a sleep of it ends with the run",
}
_WAITING_PACKAGES = ("chalicelib/wait/", "chalicelib/supervisor/")  # the latter is shipped alone


@pytest.mark.parametrize("path", _PRODUCT, ids=_name)
def test_no_loop_sleeps_by_hand(path: Path) -> None:
    """What is waited for has a name, tries and a limit: a policy of `chalicelib.wait`."""
    sleeps = [
        call.lineno
        for loop in ast.walk(ast.parse(path.read_text()))
        if isinstance(loop, ast.While | ast.For | ast.AsyncFor)
        for call in ast.walk(loop)
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] == "sleep"
    ]

    allowed = _name(path).startswith(_WAITING_PACKAGES) or _name(path) in _WAITING_LOOPS
    assert allowed or not sleeps


@pytest.mark.parametrize("name", _WAITING_LOOPS)
def test_an_exception_for_a_loop_is_still_needed(name: str) -> None:
    assert "sleep(" in (_ROOT / name).read_text()


@pytest.mark.parametrize("path", _tracked("chalicelib/transport/*.py"), ids=_name)
def test_transports_wait_on_a_clock_that_nobody_can_set(path: Path) -> None:
    assert "SystemClock" not in path.read_text()


_STARTERS = {
    "chalicelib/cli/bench_shell.py": "measures the transport against it",
    "chalicelib/transport/children.py": "starts what a driver must not",
    "chalicelib/transport/local.py": "is the driver",
    "chalicelib/transport/local_process.py": "is the driver's hand",
}
_STARTING_PACKAGE = "chalicelib/supervisor/"  # shipped to hosts alone, standard library only
_STARTING = {"subprocess", "pty"}
_STARTS = {
    *("asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
    *("os.posix_spawn", "os.posix_spawnp", "os.spawnv", "os.spawnve", "os.spawnvp", "os.spawnlp"),
}


def _starts_programs(tree: ast.Module) -> bool:
    """Whether the module imports what starts programs, or calls what does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and {each.name for each in node.names} & _STARTING:
            return True
        if isinstance(node, ast.ImportFrom) and node.module in _STARTING:
            return True
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _STARTS:
            return True
    return False


@pytest.mark.parametrize("path", _PRODUCT, ids=_name)
def test_commands_are_run_by_a_transport(path: Path) -> None:
    """It quotes, limits, ends and redacts in one way. What cannot use it is listed, with the reason."""
    allowed = _name(path).startswith(_STARTING_PACKAGE) or _name(path) in _STARTERS

    assert allowed or not _starts_programs(ast.parse(path.read_text()))


@pytest.mark.parametrize("name", [*_STARTERS, _STARTING_PACKAGE])
def test_an_exception_for_a_program_has_its_reason_on_a_page(name: str) -> None:
    page = _ROOT / "docs/decisions/0009-programs-that-are-not-ended.md"

    assert f"`{name}`" in page.read_text()


@pytest.mark.parametrize("name", _STARTERS)
def test_an_exception_for_a_program_is_still_needed(name: str) -> None:
    assert _starts_programs(ast.parse((_ROOT / name).read_text()))


@pytest.mark.parametrize(
    "code",
    ["import subprocess", "from subprocess import run", "asyncio.create_subprocess_exec('ls')"],
)
def test_a_program_that_is_started_would_be_found(code: str) -> None:
    assert _starts_programs(ast.parse(code))


def test_no_path_of_a_machine_is_written_down() -> None:
    # Put together so that this file does not hold what it looks for.
    folders = (str(_ROOT).encode() + b"/", b"/wo" + b"rk/main", b"/wo" + b"rk/shared")
    found = [
        f"{_name(path)}:{number}"
        for path in _tracked()
        for number, line in enumerate(path.read_bytes().splitlines(), 1)
        if any(folder in line for folder in folders)
    ]

    assert not found
