"""What every command shares: its parser, its tables, its answers for programs."""

import argparse
import json
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["command_parser", "paint", "print_json", "print_table"]

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
