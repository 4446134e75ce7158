"""Commands that edit a text file on the host: lines, options of sections, marked blocks.

What is not meant stays byte for byte, also where a file has no final newline or lines that end in
CR LF. The file is replaced whole or not at all, beside its place; it keeps its mode and owner, and
it is not written when nothing changes. What a symbolic link leads to is edited, and the link stays.

Programs are constants, values are in the environment of awk(1): no value is read as a program, as
an escape, or as a number, and none is in a process list. mawk, gawk and busybox awk do the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from chalicelib.errors import ShellError
from chalicelib.hostspec.resources.edit_programs import BLOCK, LINES, OPTION
from chalicelib.shell import (
    Item,
    Node,
    Secret,
    all_of,
    any_of,
    assign,
    command,
    duplicate,
    env,
    equal,
    exists,
    exit_,
    group,
    if_,
    is_file,
    join,
    last_status,
    not_equal,
    output,
    pipe,
    println,
    q,
    read_from,
    redirect,
    ref,
    when,
    write_to,
)
from chalicelib.transport.files import place_script

__all__ = [
    "VALUE_LIMIT_BYTES",
    "Lines",
    "put_block",
    "put_line",
    "put_option",
    "remove_block",
    "remove_lines",
    "remove_option",
    "starting",
    "with_field",
]

VALUE_LIMIT_BYTES = 96 * 1024
"""Linux gives a variable of the environment 128 KiB (`MAX_ARG_STRLEN`)."""
_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Lines:
    """Which lines of a file are meant. Make it with `starting` or `with_field`.

    Attributes:
        how: by the start of the line, by the whole of it, or by one of its fields.
        text: what is there, exactly. Nothing in it is a wildcard.
        field: which field, from 1; 0 otherwise.
    """

    how: Literal["start", "line", "field"]
    text: str
    field: int = 0

    def match(self, line: str) -> bool:
        """Say whether a line, without its end, is one of them: as the host's awk finds it.

        >>> with_field(2, "/srv").match("tmpfs /srv tmpfs")
        True
        >>> with_field(2, "/srv").match("# tmpfs /srv tmpfs")
        False
        """
        if self.how == "start":
            return line.startswith(self.text)
        if self.how == "line":
            return line == self.text
        fields = [each for each in line.replace("\t", " ").split(" ") if each]
        commented = bool(fields) and fields[0].startswith("#")
        return not commented and len(fields) >= self.field and fields[self.field - 1] == self.text


def starting(text: str) -> Lines:
    """Return the lines that start with a text, comments too.

    Raises:
        ShellError: it is empty, or more than a line.
    """
    return Lines("start", _line(text))


def with_field(number: int, text: str) -> Lines:
    """Return the lines of which a field, between blanks, is a text; comments (`#`) are none.

    Args:
        number: which field, from 1.
        text: without blanks.

    Raises:
        ShellError: it is empty, or holds blanks.
    """
    if number < 1 or not text or set(text) & set(" \t\n"):
        raise ShellError(reason=f"no field of a line: {number}, {text!r}")
    return Lines("field", text, number)


def put_line(
    path: str, text: str | Secret, *, instead_of: Lines | None = None, mode: int | None = _MODE
) -> Node:
    """Return the command by which a file has a line once.

    The first line that is it, or is meant by `instead_of`, becomes it; all others of these go. With
    none, it comes last.

    Args:
        path: of the file.
        text: the line, without its end.
        instead_of: lines that it takes the place of.
        mode: permission bits of the file if it is missing; None: then it fails.

    Raises:
        ShellError: the text is empty, or more than a line.
    """
    revealed = _line(text.reveal() if isinstance(text, Secret) else text)
    chosen = instead_of or Lines("line", revealed)
    values = {**_chosen(chosen, hide=isinstance(text, Secret)), "BERTH_TEXT": text}
    return _put(path, LINES, values, mode)


def remove_lines(path: str, *chosen: Lines | str | Secret) -> Node:
    """Return the command by which a file has no such lines. No file has none.

    Args:
        path: of the file.
        chosen: which lines; a text means the whole line.
    """
    edits = []
    for each in chosen:
        text = each.reveal() if isinstance(each, Secret) else each
        lines = text if isinstance(text, Lines) else Lines("line", _line(text))
        hide = isinstance(each, Secret)
        edits.append(_remove(path, LINES, _chosen(lines, hide=hide)))
    return all_of(*edits)


def put_option(
    path: str,
    *,
    section: str,
    option: str,
    value: str | Secret,
    between: str = " = ",
    mode: int | None = _MODE,
) -> Node:
    """Return the command by which an option in a section of an ini file has a value.

    The first such option gets it, others of its name in the section go, and comments stay. An
    option that has the value is left as it is written. A missing one comes after the section's last
    option, a missing section comes last.

    Args:
        path: of the file.
        section: its name, without brackets; empty for what comes before all sections.
        option: its name; upper and lower case differ.
        value: one line.
        between: what is written between option and value; has a `=`.
        mode: as in `put_line`.

    Raises:
        ShellError: a name or the value cannot be written so that it is read as such.
    """
    hidden = isinstance(value, Secret)
    revealed = value.reveal() if isinstance(value, Secret) else value
    line = _line(f"{option}{between}{revealed}")
    if between.strip(" \t") != "=" or revealed != revealed.strip(" \t\r"):
        raise ShellError(reason=f"{option}: blanks around the value, or no = before it")
    values = {
        **_named_option(section, option),
        "BERTH_VALUE": value,
        "BERTH_TEXT": Secret(line) if hidden else line,
    }
    return _put(path, OPTION, values, mode)


def remove_option(path: str, *, section: str, option: str) -> Node:
    """Return the command by which a section has no such option; the section stays."""
    return _remove(path, OPTION, _named_option(section, option))


def put_block(
    path: str, text: str | Secret, *, begin: str, end: str, mode: int | None = _MODE
) -> Node:
    """Return the command by which a file has lines between two marks, once.

    What is between the marks is replaced, more such blocks and single marks go. With none, the
    block comes last.

    Args:
        path: of the file.
        text: the lines between the marks; a last newline is not needed.
        begin: the line before them, as it is.
        end: the line after them, as it is.
        mode: as in `put_line`.

    Raises:
        ShellError: the marks are equal or no lines, or one is in the text.
    """
    hidden = isinstance(text, Secret)
    revealed = text.reveal() if isinstance(text, Secret) else text
    inner = revealed.removesuffix("\n").split("\n") if revealed else []
    if {begin, end} & set(inner) or begin == end:
        raise ShellError(reason=f"the marks of a block must not be in it: {begin}")
    whole = _short("\n".join([_line(begin), *inner, _line(end)]))
    values = {
        "BERTH_BEGIN": begin,
        "BERTH_END": end,
        "BERTH_TEXT": Secret(whole) if hidden else whole,
    }
    return _put(path, BLOCK, values, mode)


def remove_block(path: str, *, begin: str, end: str) -> Node:
    """Return the command by which a file has neither the marks nor what is between them."""
    values = {"BERTH_BEGIN": _line(begin), "BERTH_END": _line(end)}
    return _remove(path, BLOCK, values)


def _line(text: str) -> str:
    if not text or "\n" in text or "\0" in text:
        raise ShellError(reason="a line of a file is one line, and not empty")
    return _short(text)


def _short(text: str) -> str:
    if len(text.encode()) > VALUE_LIMIT_BYTES:
        raise ShellError(reason=f"more than {VALUE_LIMIT_BYTES} bytes are no edit: use a file")
    return text


def _chosen(lines: Lines, *, hide: bool) -> Mapping[str, object]:
    text = Secret(lines.text) if hide else lines.text
    return {"BERTH_HOW": lines.how, "BERTH_WANTED": text, "BERTH_FIELD": lines.field}


def _named_option(section: str, option: str) -> Mapping[str, object]:
    bad = set("[]\n\r\0") & set(section) or set("=\n\r\0") & set(option)
    if bad or not option or option[0] in "#;[" or {section, option} != _stripped(section, option):
        raise ShellError(reason=f"no option of a section: [{section}] {option!r}")
    return {"BERTH_SECTION": section, "BERTH_OPTION": option}


def _stripped(*texts: str) -> set[str]:
    return {each.strip(" \t") for each in texts}


def _put(path: str, program: str, values: Mapping[str, object], mode: int | None) -> Node:
    edited = _awk(program, {**values, "BERTH_PUT": 1})
    if mode is None:
        return _edit(path, edited, missing=_fail(f"{path} is not there"))
    made = redirect(edited, read_from("/dev/null"))
    return _edit(path, edited, missing=place_script(path, content=made, mode=mode))


def _remove(path: str, program: str, values: Mapping[str, object]) -> Node:
    return _edit(path, _awk(program, {**values, "BERTH_PUT": 0}), missing=())


def _awk(program: str, values: Mapping[str, object]) -> Node:
    closed = ref("closed", if_unset="")
    return env(command("awk", program), **values, BERTH_CLOSED=closed, LC_ALL="C")


def _fail(reason: str) -> tuple[Node, ...]:
    return redirect(println(reason), duplicate(1, 2)), exit_(1)


def _edit(path: str, edited: Node, *, missing: Item) -> Node:
    """Run a command from a file to the same file, or what is to be done if it is missing."""
    return if_(
        is_file(path),
        _replace(path, edited),
        elif_=[(exists(path), _fail(f"{path} is there and is no file"))],
        else_=missing,
    )


def _replace(path: str, edited: Node) -> tuple[Node, ...]:
    real, part, digest = ref("real"), ref("part"), ref("digest")
    from_it = read_from(real)
    textual = output(pipe(redirect("tr -d '\\000'", from_it), "sha256sum"))
    beside = join(output(q("dirname {real}", real=real)), "/.berth.XXXXXX")
    changed = all_of(
        q("cp -a {real} {part}", real=real, part=part),
        redirect(edited, from_it, write_to(part)),
        if_(
            equal(output(redirect("sha256sum", read_from(part))), digest),
            q("rm -f {part}", part=part),
            else_=q("mv -f {part} {real}", part=part, real=real),
        ),
    )
    undone = group(assign("status", last_status()), q("rm -f {part}", part=part))
    return (
        any_of(assign("real", output(q("readlink -f {path}", path=path))), exit_()),
        any_of(assign("digest", output(redirect("sha256sum", from_it))), exit_()),
        when(not_equal(textual, digest), *_fail(f"{path} is no text: it holds NUL")),
        assign("closed", output(pipe(q("tail -c 1 {real}", real=real), "wc -l"))),
        any_of(assign("part", output(command("mktemp", beside))), exit_()),
        any_of(changed, group(undone, exit_(ref("status")))),
    )
