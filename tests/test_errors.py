"""The error tree: picklable, drawn at the head of its file, named by its leaves."""

import pickle
from datetime import timedelta

import pytest

from chalicelib import errors


def _leaves(kind: type[errors.BerthError]) -> list[type[errors.BerthError]]:
    children = kind.__subclasses__()
    return [leaf for child in children for leaf in _leaves(child)] if children else [kind]


def _example(kind: type[errors.BerthError]) -> errors.BerthError:
    values = {
        "line": 3,
        "fence": 2,
        "status": 400,
        "exit_status": 3,
        "timeout_s": 1.5,
        "elapsed": timedelta(seconds=1),
        "stdout": b"said",
        "stderr": b"complained",
    }
    names = kind.__dataclass_fields__
    return kind(**{name: values.get(name, f"some {name}") for name in names})


@pytest.mark.parametrize("kind", _leaves(errors.BerthError), ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling(kind: type[errors.BerthError]) -> None:
    """Errors cross process borders in tests and workers; a keyword-only dataclass would not."""
    error = _example(kind)

    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert type(again) is kind
    assert again.facts() == error.facts()
    assert str(again) == str(error)


@pytest.mark.parametrize("kind", _leaves(errors.BerthError), ids=lambda kind: kind.__name__)
def test_each_class_is_drawn_and_exported(kind: type[errors.BerthError]) -> None:
    assert kind.__name__ in (errors.__doc__ or "")
    assert kind.__name__ in errors.__all__
    assert kind.__name__.endswith("Error")


def test_a_config_error_names_file_line_and_key() -> None:
    error = errors.ConfigError(file="a.yml", line=7, key="jobs.build", reason="not supported yet")

    assert str(error) == "a.yml:7: jobs.build: not supported yet"


def test_a_config_error_about_a_whole_file_has_no_line() -> None:
    error = errors.ConfigError(file="a.yml", line=0, key="", reason="is empty")

    assert str(error) == "a.yml: is empty"


def test_a_failed_command_says_what_and_where_with_its_last_words() -> None:
    error = errors.CommandFailedError(
        host="web-1",
        command="make all",
        exit_status=2,
        stdout=b"",
        stderr=b"cc: no input\n",
        elapsed=timedelta(seconds=1.26),
    )

    assert str(error) == "web-1: exit status 2 after 1.3 s: make all\n    cc: no input"
