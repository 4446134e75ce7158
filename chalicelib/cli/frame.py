"""What every command shares: its parser, its tables, its answers for programs."""

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, TypeAlias

__all__ = ["Parts", "command_parser", "paint", "print_json", "print_table", "run_part"]

Parts: TypeAlias = Mapping[str, tuple[str, str]]
"""Of a command, by name: `module:function`, and what it does."""

_PAINT = re.compile(r"\x1b\[[0-9;]*m")
_COLOURS = {"red": "31", "green": "32", "yellow": "33", "magenta": "35", "grey": "90", "bold": "1"}


def command_parser(
    command: str, description: str, *, examples: Sequence[str] = ()
) -> argparse.ArgumentParser:
    """Return the parser of `./berth <command>`, with its examples in the help."""
    shown = "examples:\n" + "\n".join(f"  {line}" for line in examples) if examples else None
    return argparse.ArgumentParser(
        prog=f"berth {command}",
        description=description,
        epilog=shown,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def run_part(
    command: str,
    description: str,
    parts: Parts,
    arguments: Sequence[str],
    *more: object,
    examples: Sequence[str],
) -> int:
    """Run one part of a command, whose file is imported only then; return its exit status.

    Args:
        command: its name.
        description: what all of its parts are about.
        parts: by name.
        arguments: the part's name and its arguments; else the help is shown, or they are refused.
        more: what each part is given beside its arguments.
        examples: of the help.
    """
    if not arguments or arguments[0] not in parts:
        width = max(map(len, parts))
        told = "\n".join(f"  {name.ljust(width)}  {text}" for name, (_, text) in parts.items())
        parser = command_parser(command, f"{description}\n\n{told}", examples=examples)
        parser.add_argument(
            "what",
            metavar="WHAT",
            choices=list(parts),
            help=f"one of these; ./berth {command} WHAT --help says more",
        )
        parser.parse_args(arguments)
        raise AssertionError("the parser takes only the names it was given")
    name, *rest = arguments
    module, _, function = parts[name][0].partition(":")
    status: int = getattr(import_module(module), function)(rest, *more)
    return status


def print_json(value: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(value, indent=2, sort_keys=True, default=str))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns; the last column may be as long as it likes."""
    if not rows:
        return
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=False)
        ]
        print("  ".join([*cells, row[-1]]).rstrip())


def _width(cell: str) -> int:
    """Return how many columns a cell takes, painted or not."""
    return len(_PAINT.sub("", cell))


def paint(text: str, colour: str) -> str:
    """Return `text` in that colour when standard output is a terminal that wants colours."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):  # noqa: TID251 - a convention, not a setting
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"
