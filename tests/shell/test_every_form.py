"""Forms that no other test here runs, in each real shell; and that there is none without a test."""

import re
from pathlib import Path

import pytest

from chalicelib import shell
from chalicelib.shell import (
    Dialect,
    Node,
    any_character,
    array,
    array_append,
    array_length,
    assign,
    background,
    branch,
    case,
    command,
    continue_,
    document,
    duplicate_from,
    equal,
    for_each,
    if_,
    is_directory,
    is_executable,
    is_file,
    is_nonempty_file,
    is_not_empty,
    is_readable,
    is_symlink,
    is_writable,
    join,
    last_background,
    map_,
    map_keys,
    map_values,
    num_eq,
    num_ge,
    num_gt,
    num_le,
    num_lt,
    num_ne,
    otherwise,
    println,
    redirect,
    ref,
    render,
    script,
    when,
)
from tests.shell.shells import SHELLS, run_file

_TESTS = Path(__file__).resolve().parent


def _printed(run_by: tuple[str, ...], node: Node, folder: Path) -> list[str]:
    text = render(node, dialect=Dialect.BASH if run_by == ("bash",) else Dialect.POSIX)
    status, output, errors = run_file(run_by, text, folder / "script")
    assert (status, errors) == (0, b"")
    return output.decode().splitlines()


def _answer(question: Node) -> Node:
    return if_(question, println("yes"), else_=println("no"))


@pytest.mark.parametrize("run_by", SHELLS, ids=" ".join)
@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (num_eq, "010"),
        (num_ne, "101"),
        (num_lt, "100"),
        (num_le, "110"),
        (num_gt, "001"),
        (num_ge, "011"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_integers_are_compared(
    run_by: tuple[str, ...], ask: object, expected: str, tmp_path: Path
) -> None:
    """As integers: "9" is less than "10"."""
    asked = script([_answer(ask(each, 10)) for each in ("9", "10", "11")])  # type: ignore[operator]

    assert _printed(run_by, asked, tmp_path) == [
        "yes" if each == "1" else "no" for each in expected
    ]


@pytest.mark.parametrize("run_by", SHELLS, ids=" ".join)
def test_files_are_told_apart(run_by: tuple[str, ...], tmp_path: Path) -> None:
    """Of a program, an empty file, a folder, a link and nothing: "r" and "w" as root sees them."""
    (tmp_path / "program").write_text("x")
    (tmp_path / "program").chmod(0o755)
    (tmp_path / "empty").touch(0o644)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("program")
    questions = {
        is_file: "yyny",
        is_directory: "nnyn",
        is_symlink: "nnny",
        is_nonempty_file: "ynyy",
        is_executable: "ynyy",
        is_readable: "yyyy",
        is_writable: "yyyy",
    }
    names = [str(tmp_path / name) for name in ("program", "empty", "folder", "link", "nothing")]

    asked = script([_answer(ask(name)) for ask in questions for name in names])
    said = "".join(each[0] for each in _printed(run_by, asked, tmp_path))

    assert said == "".join(f"{expected}n" for expected in questions.values())


@pytest.mark.parametrize("run_by", SHELLS, ids=" ".join)
def test_a_round_is_left_a_pattern_matched_and_an_input_shared(
    run_by: tuple[str, ...], tmp_path: Path
) -> None:
    rounds = for_each("x", [1, 2, 3], when(equal(ref("x"), 2), continue_()), println(ref("x")))
    matched = case("abc", branch(join("a", any_character(), "c"), println("one")), otherwise())
    shared = redirect("cat", document("in", fd=5), duplicate_from(0, 5))
    waited = script(background("true"), command("wait", last_background()))
    numbered = script(assign("pid", last_background()), _answer(is_not_empty(ref("pid"))))

    printed = _printed(run_by, script(rounds, matched, shared, waited, numbered), tmp_path)

    assert printed == ["1", "3", "one", "in", "yes"]


def test_arrays_grow_and_maps_are_gone_through(tmp_path: Path) -> None:
    made = script(
        array("a", "x y"),
        array_append("a", "", "z"),
        println(array_length("a")),
        map_("m", {"key of": "value of"}),
        command("printf", "%s|", map_keys("m"), map_values("m")),
    )

    assert _printed(("bash",), made, tmp_path) == ["3", "key of|value of|"]


def test_each_form_is_in_a_test() -> None:
    lines = [line for path in _TESTS.glob("*.py") for line in path.read_text().splitlines()]
    used = " ".join(line for line in lines if not re.fullmatch(r" {4}\w+,|from .*", line))
    functions = {name for name in shell.__all__ if name[0].islower()}

    assert len(functions) > 80
    assert not functions - set(re.findall(r"\w+", used))
