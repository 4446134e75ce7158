"""Nothing in the product but this library writes shell."""

import ast
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent.parent
_SHELLS = {"sh", "bash", "dash", "ash", "zsh", "/bin/sh", "/bin/bash"}
_CALLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
_CALLS |= {"asyncio.create_subprocess_shell", "pty.spawn"}
_TAKES_TEXT = {"run", "stream", "Popen", "call", "check_call", "check_output"}
_MODULES = [
    path
    for path in [*(_ROOT / "chalicelib").rglob("*.py"), _ROOT / "app.py", _ROOT / "berth"]
    if "shell" not in path.relative_to(_ROOT).parts
]


def _faults(tree: ast.Module) -> list[int]:
    """Lines that hand text to a shell: by an option, by a function, or as `sh -c "…"`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "shell":
            found.append(node.value.lineno)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _CALLS:
            found.append(node.lineno)
        if isinstance(node, ast.Call) and _is_made_text(node):
            found.append(node.lineno)
        if isinstance(node, ast.List | ast.Tuple) and _starts_a_shell(node.elts):
            found.append(node.lineno)
    return found


def _is_made_text(call: ast.Call) -> bool:
    """A command that is put together as a text; a constant one is a template, read by the library."""
    name = ast.unparse(call.func).rpartition(".")[2]
    if name not in {*_TAKES_TEXT, "q"} or not call.args:
        return False
    first = call.args[0]
    joined = any(isinstance(getattr(part, "value", None), str) for part in ast.walk(first))
    return isinstance(first, ast.JoinedStr) or (isinstance(first, ast.BinOp) and joined)


def _starts_a_shell(items: list[ast.expr]) -> bool:
    values = [item.value if isinstance(item, ast.Constant) else None for item in items]
    written = zip(values, values[1:], items[2:], strict=False)
    return any(
        first in _SHELLS and second == "-c" and isinstance(text, ast.Constant | ast.JoinedStr)
        for first, second, text in written
    )


@pytest.mark.parametrize("path", _MODULES, ids=lambda path: str(path.relative_to(_ROOT)))
def test_no_shell_is_written_outside_the_library(path: Path) -> None:
    assert not _faults(ast.parse(path.read_text()))


@pytest.mark.parametrize(
    "code",
    [
        "run('ls', shell=True)",
        "os.system('ls')",
        "asyncio.create_subprocess_shell('ls')",
        "host.run(f'ls {x}')",
        "q('ls ' + x)",
        "run(['sh', '-c', 'ls'])",
        "run(['sudo', 'bash', '-c', f'ls {x}'])",
    ],
)
def test_shell_would_be_found(code: str) -> None:
    assert _faults(ast.parse(code))
