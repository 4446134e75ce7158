import ast
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from chalicelib.supervisor.bundle import bundle

_SOURCES = Path("chalicelib/supervisor")
_PRINT = "import sys; from chalicelib.supervisor.bundle import bundle; "


def test_the_same_sources_give_the_same_bytes() -> None:
    program = _PRINT + "sys.stdout.buffer.write(bundle())"

    other = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout

    assert bundle() == other


def test_it_needs_nothing_but_the_standard_library() -> None:
    imported = set()
    for path in _SOURCES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")

    ours = {name for name in imported if name.startswith("chalicelib")}
    assert all(name.startswith("chalicelib.supervisor") for name in ours)
    assert {name.split(".")[0] for name in imported - ours} <= sys.stdlib_module_names


@pytest.mark.parametrize("path", sorted(_SOURCES.glob("*.py")), ids=lambda path: path.stem)
def test_it_is_written_in_the_python_of_older_hosts(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))

    imported = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert "__future__" in imported or not tree.body[1:]


def test_it_runs_from_its_source_where_the_bytecode_is_of_another_python(tmp_path: Path) -> None:
    shipped = tmp_path / "supervisor.pyz"
    with zipfile.ZipFile(io.BytesIO(bundle())) as made, zipfile.ZipFile(shipped, "w") as archive:
        for name in made.namelist():
            content = made.read(name)
            archive.writestr(name, b"\0\0\r\n" + content[4:] if name.endswith(".pyc") else content)

    ended = subprocess.run([sys.executable, "-I", shipped, tmp_path / "gone"], check=False)

    assert ended.returncode == 0
