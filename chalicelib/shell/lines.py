"""Lines of a script that is being written: which may be indented, and where an operator goes."""

from dataclasses import dataclass

__all__ = ["Line", "code", "indent", "join_operator", "suffix"]

_CLOSING = ("}", ")")


@dataclass(frozen=True, slots=True)
class Line:
    """Some text and whether it is code: the text of a here-document must stay where it is."""

    text: str
    code: bool = True


def code(text: str) -> list[Line]:
    """Return one line of code."""
    return [Line(text)]


def indent(lines: list[Line]) -> list[Line]:
    """Return the lines with their code one level further in."""
    return [Line("    " + line.text) if line.code else line for line in lines]


def suffix(lines: list[Line], text: str) -> list[Line]:
    """Return the lines with the text at the end of the last line of code."""
    last = max(number for number, line in enumerate(lines) if line.code)
    return [Line(line.text + text) if number == last else line for number, line in enumerate(lines)]


def join_operator(blocks: list[list[Line]], operator: str) -> list[Line]:
    """Return the blocks with the operator between them, which ends a line or follows a bracket."""
    found: list[Line] = []
    for block in blocks:
        if not found:
            found = block
        elif found[-1].code and found[-1].text in _CLOSING:
            first, *rest = block
            found = [*found[:-1], Line(f"{found[-1].text} {operator} {first.text}"), *rest]
        else:
            found = [*suffix(found, f" {operator}"), *(block if len(block) > 1 else indent(block))]
    return found
