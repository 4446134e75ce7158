"""The edits against a model in Python, with each awk that this machine has."""

import doctest
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.errors import ShellError
from chalicelib.hostspec.resources import edits
from chalicelib.hostspec.resources.edits import (
    Lines,
    put_block,
    put_line,
    put_option,
    remove_block,
    remove_lines,
    remove_option,
    starting,
    with_field,
)
from chalicelib.shell import Node, Secret, explain, render

Ended = tuple[str, str]
"""A line and its end: a newline, or nothing."""
Edit = Callable[[Node], None]
_BEGIN, _END = "# begin", "# end"


@pytest.fixture(scope="session", params=["mawk", "gawk", "busybox"])
def edit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Edit:
    """Runs an edit with one of the awks."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"there is no {request.param} here")
    folder = tmp_path_factory.mktemp("bin")
    (folder / "awk").symlink_to(program)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def run(node: Node) -> None:
        subprocess.run(["/bin/sh"], input=render(node).encode(), env=environment, check=True)

    return run


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("edits") / "file"


def _ended(content: str) -> list[Ended]:
    *whole, rest = content.split("\n")
    return [(each, "\n") for each in whole] + ([(rest, "")] if rest else [])


def _replaced(lines: Sequence[Ended], mine: set[int], text: str | None, at: int) -> str:
    """Put the text in the place of what is mine, or after the first `at` lines."""
    pieces = ["" if n in mine else f"{line}{end}" for n, (line, end) in enumerate(lines)]
    if text is not None and mine:
        line, end = lines[min(mine)]
        pieces[min(mine)] = text + (end if text == line else "\n")
    elif text is not None:
        if at and not lines[at - 1][1]:
            pieces[at - 1] += "\n"
        pieces.insert(at, f"{text}\n")
    return "".join(pieces)


def _with_line(content: str, text: str | None, chosen: Lines) -> str:
    lines = _ended(content)
    mine = {n for n, (line, _) in enumerate(lines) if chosen.match(line) or line == text}
    return _replaced(lines, mine, text, len(lines))


def _options(lines: Sequence[Ended]) -> Iterator[tuple[int, str, str]]:
    """Yield line, section and the line without blanks around it; headers are not yielded."""
    section = ""
    for number, (line, _) in enumerate(lines):
        plain = line.strip(" \t\r")
        if plain.startswith("[") and plain.endswith("]") and len(plain) > 1:
            section = f"[{plain[1:-1]}]"
        elif plain and plain[0] not in "#;":
            yield number, section, plain


def _with_option(content: str, section: str, option: str, value: str | None) -> str:
    lines = _ended(content)
    heads = [n for n, (line, _) in enumerate(lines) if line.strip(" \t\r") == f"[{section}]"]
    others = [n for n, (line, _) in enumerate(lines) if line.strip(" \t\r").startswith("[")]
    others = [n for n in others if lines[n][0].strip(" \t\r").endswith("]")]
    name = f"[{section}]" if section else ""
    own = [(n, plain) for n, found, plain in _options(lines) if found == name]
    values = {
        n: after.strip(" \t\r")
        for n, plain in own
        for before, equals, after in [plain.partition("=")]
        if equals and before.strip(" \t\r") == option
    }
    text = None if value is None else f"{option} = {value}"
    if values and value == values[min(values)]:
        text = lines[min(values)][0]
    first = heads[0] if section and heads else -1
    until = min([n for n in others if n > first], default=len(lines))
    at = max([first, *(n for n, _ in own if n < until)]) + 1
    if section and not heads:
        at = len(lines)
        gap = "\n" if lines and lines[-1][0].strip(" \t\r") else ""
        text = None if text is None else f"{gap}[{section}]\n{text}"
    return _replaced(lines, set(values), text, at)


def _with_block(content: str, text: str | None) -> str:
    lines = _ended(content)
    mine, begun = set(), None
    for number, (line, _) in enumerate(lines):
        if line == _BEGIN:
            begun = number
        if line == _END and begun is not None:
            mine |= set(range(begun, number))
            begun = None
        if line in {_BEGIN, _END}:
            mine.add(number)
    whole = None if text is None else "\n".join([_BEGIN, *([text] if text else []), _END])
    return _replaced(lines, mine, whole, len(lines))


_PIECES = ["a", "b", "1", "1.0", "01", "#", " ", "\t", "=", "\r", "\\n", "\\", "&", "é", "%s", '"']
_WORDS = st.lists(st.sampled_from(_PIECES), min_size=1, max_size=4).map("".join)
_LINES = st.one_of(
    _WORDS, st.sampled_from(["", "[a]", "[b]", " [a] \r", "a = 1", "a=2", _BEGIN, _END])
)
_CONTENTS = st.builds(
    lambda lines, end: "\n".join(lines) + end,
    st.lists(_LINES, max_size=7),
    st.sampled_from(["", "\n"]),
)
_CHOSEN = st.one_of(
    st.builds(starting, _WORDS),
    st.builds(Lines, st.just("line"), _WORDS),
    st.builds(with_field, st.integers(1, 3), st.sampled_from(["a", "1", "1.0", "=", "\\n"])),
)
_OPTIONS = st.sampled_from(["a", "b", "1", "é"])
_SECTIONS = st.sampled_from(["", "a", "b", "1", "c.*"])
_VALUES = st.one_of(st.sampled_from(["1", "1.0", ""]), _WORDS.map(lambda text: text.strip(" \t\r")))


def _check(edit: Edit, place: Path, content: str, node: Node, wanted: str) -> None:
    place.write_bytes(content.encode())
    before = place.stat()

    for _ in range(2):
        edit(node)
        assert place.read_bytes().decode() == wanted
    if content == wanted:
        after = place.stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [each.name for each in place.parent.iterdir()] == ["file"]


@settings(max_examples=40)
@given(content=_CONTENTS, text=_WORDS, chosen=_CHOSEN)
def test_a_line_is_put(edit: Edit, place: Path, content: str, text: str, chosen: Lines) -> None:
    node = put_line(str(place), text, instead_of=chosen)

    _check(edit, place, content, node, _with_line(content, text, chosen))


@settings(max_examples=30)
@given(content=_CONTENTS, chosen=_CHOSEN)
def test_lines_are_removed(edit: Edit, place: Path, content: str, chosen: Lines) -> None:
    node = remove_lines(str(place), chosen)

    _check(edit, place, content, node, _with_line(content, None, chosen))


@settings(max_examples=60)
@given(content=_CONTENTS, section=_SECTIONS, option=_OPTIONS, value=st.none() | _VALUES)
@example(content="\r#", section="", option="a", value="1")
def test_an_option_is_put_or_removed(
    edit: Edit, place: Path, content: str, section: str, option: str, value: str | None
) -> None:
    if value is None:
        node = remove_option(str(place), section=section, option=option)
    else:
        node = put_option(str(place), section=section, option=option, value=value)

    _check(edit, place, content, node, _with_option(content, section, option, value))


@settings(max_examples=60)
@given(content=_CONTENTS, text=st.none() | st.just("") | _WORDS)
def test_a_block_is_put_or_removed(edit: Edit, place: Path, content: str, text: str | None) -> None:
    if text in {_BEGIN, _END}:
        return
    if text is None:
        node = remove_block(str(place), begin=_BEGIN, end=_END)
    else:
        node = put_block(str(place), text, begin=_BEGIN, end=_END)

    _check(edit, place, content, node, _with_block(content, text))


def test_long_lines_and_many_lines_stay(edit: Edit, place: Path) -> None:
    content = "x" * 300_000 + "\r\n" + "y\n" * 20_000 + "z" * 70_000

    _check(edit, place, content, put_line(str(place), "k" * 60_000), f"{content}\n{'k' * 60_000}\n")


def test_bytes_that_are_no_text_stay(edit: Edit, place: Path) -> None:
    place.write_bytes(b"\xff\xfe\xc3\n\x01")

    edit(put_line(str(place), "é", instead_of=starting("\xe9")))

    assert place.read_bytes() == b"\xff\xfe\xc3\n\x01\n\xc3\xa9\n"


def test_mode_and_link_stay(edit: Edit, tmp_path: Path) -> None:
    file, link = tmp_path / "real", tmp_path / "link"
    file.write_text("a\n")
    file.chmod(0o4751)
    link.symlink_to("real")

    edit(put_line(str(link), "b"))

    assert link.is_symlink()
    assert file.read_text() == "a\nb\n"
    assert file.stat().st_mode & 0o7777 == 0o4751


def test_a_missing_file_is_made_where_asked(edit: Edit, tmp_path: Path) -> None:
    made, missing = tmp_path / "made", tmp_path / "missing"

    edit(put_option(str(made), section="a", option="b", value="c", mode=0o600))
    edit(remove_lines(str(missing), "a"))

    assert made.read_text() == "[a]\nb = c\n"
    assert made.stat().st_mode & 0o777 == 0o600
    with pytest.raises(subprocess.CalledProcessError):
        edit(put_line(str(missing), "a", mode=None))
    assert not missing.exists()


@pytest.mark.parametrize("what", ["NUL", "folder"])
def test_what_is_no_text_file_is_refused_and_stays(edit: Edit, tmp_path: Path, what: str) -> None:
    path = tmp_path / "it"
    if what == "NUL":
        path.write_bytes(b"a\0b\n")
    else:
        path.mkdir()

    for node in (put_line(str(path), "a"), remove_lines(str(path), "a")):
        with pytest.raises(subprocess.CalledProcessError):
            edit(node)

    assert [each.name for each in tmp_path.iterdir()] == ["it"]
    assert path.is_dir() or path.read_bytes() == b"a\0b\n"


def test_secrets_are_not_told() -> None:
    secret = Secret("swordfish")
    nodes = [
        put_line("/f", secret, instead_of=starting("password=")),
        put_line("/f", secret),
        remove_lines("/f", secret),
        put_option("/f", section="a", option="b", value=secret),
        put_block("/f", secret, begin=_BEGIN, end=_END),
    ]

    assert all("swordfish" not in explain(each) and "swordfish" in render(each) for each in nodes)


@pytest.mark.parametrize(
    "make",
    [
        lambda: put_line("/f", ""),
        lambda: put_line("/f", "a\nb"),
        lambda: put_line("/f", "a" * 100_000),
        lambda: starting(""),
        lambda: with_field(0, "a"),
        lambda: with_field(1, "a b"),
        lambda: put_option("/f", section="a]", option="b", value="c"),
        lambda: put_option("/f", section="a", option="#b", value="c"),
        lambda: put_option("/f", section="a", option="b=", value="c"),
        lambda: put_option("/f", section="a", option="b", value="c\nd"),
        lambda: put_option("/f", section="a", option="b", value=" c"),
        lambda: put_option("/f", section="a", option="b", value="c", between=" "),
        lambda: put_block("/f", f"a\n{_END}", begin=_BEGIN, end=_END),
        lambda: put_block("/f", "a", begin=_BEGIN, end=_BEGIN),
    ],
    ids=count(),
)
def test_what_cannot_be_written_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ShellError):
        make()


def test_the_examples_are_true() -> None:
    assert doctest.testmod(edits).failed == 0
