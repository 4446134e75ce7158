"""Tables keep their columns, whatever their cells are painted with."""

import pytest

from chalicelib.cli.frame import print_table


def test_painted_cells_take_no_more_room_than_plain_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table([("\x1b[32mup\x1b[0m", "a"), ("draining", "b"), ("\x1b[1mx\x1b[0m", "c")])

    assert capsys.readouterr().out.splitlines() == [
        "\x1b[32mup\x1b[0m        a",
        "draining  b",
        "\x1b[1mx\x1b[0m         c",
    ]


def test_the_last_column_pads_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([("a", ""), ("bc", "a long one")])

    assert capsys.readouterr().out == "a\nbc  a long one\n"


def test_no_rows_print_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([])

    assert capsys.readouterr().out == ""
