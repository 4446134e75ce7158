import pytest

from chalicelib.hostspec import resources


@pytest.mark.parametrize("name", resources.__all__)
def test_each_kind_is_in_the_file_that_is_said(name: str) -> None:
    assert getattr(resources, name).__name__ == name


def test_what_is_no_kind_is_not_there() -> None:
    assert not hasattr(resources, "Teapot")
