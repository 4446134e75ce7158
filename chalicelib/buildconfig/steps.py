"""One step of a job: `checkout` or `run`, in each form that CircleCI takes."""

import re
from datetime import timedelta

from chalicelib.buildconfig.cursor import NOT_YET, Cursor
from chalicelib.buildconfig.keywords import (
    CHECKOUT_KNOWN,
    CHECKOUT_SUPPORTED,
    RUN_KNOWN,
    RUN_SUPPORTED,
    STEPS_KNOWN,
)
from chalicelib.buildconfig.scalars import duration, value_text
from chalicelib.errors import ConfigError
from chalicelib.model import CheckoutStep, RunStep, Step, When
from chalicelib.model.spec import DEFAULT_NO_OUTPUT_TIMEOUT

__all__ = ["compile_environment", "compile_step", "directory"]

_NAME_LENGTH = 100
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def compile_step(place: Cursor) -> Step:
    """Return the step at `place`.

    Raises:
        ConfigError: it is not a step, or not one that is carried out yet.
    """
    if not place.is_mapping:
        return _plain_step(place)
    fields = place.fields()
    if len(fields) != 1:
        raise place.error("a step has one key, its kind; is what follows indented deeply enough?")
    kind, body = next(iter(fields.items()))
    match kind:
        case "checkout":
            return _checkout(body)
        case "run":
            return _run(body)
        case _:
            raise _unsupported(kind, body)


def _plain_step(place: Cursor) -> Step:
    kind = place.text()
    if kind == "checkout":
        return CheckoutStep()
    if kind == "run":
        raise place.error("run needs a command")
    raise _unsupported(kind, place)


def _unsupported(kind: str, place: Cursor) -> ConfigError:
    if kind in STEPS_KNOWN:
        return place.key_error(f"the step {kind} is {NOT_YET}")
    if "/" in kind:
        return place.key_error(f"a step of an orb is {NOT_YET}")
    return place.key_error("unknown step, and commands of one's own are " + NOT_YET)


def _checkout(place: Cursor) -> CheckoutStep:
    if place.is_null:
        return CheckoutStep()
    place.refuse_others(CHECKOUT_SUPPORTED, CHECKOUT_KNOWN)
    fields = place.fields()
    return CheckoutStep(
        name=_name(fields.get("name"), "Checkout code"),
        path=directory(fields["path"]) if "path" in fields else None,
    )


def _run(place: Cursor) -> RunStep:
    if not place.is_mapping:
        command = _command(place)
        return RunStep(name=_first_line(command), command=command)
    place.refuse_others(RUN_SUPPORTED, RUN_KNOWN)
    fields = place.fields()
    if "command" not in fields:
        raise place.key_error("run needs a command")
    command = _command(fields["command"])
    return RunStep(
        name=_name(fields.get("name"), _first_line(command)),
        command=command,
        environment=compile_environment(fields.get("environment")),
        working_directory=(
            directory(fields["working_directory"]) if "working_directory" in fields else None
        ),
        when=_when(fields.get("when")),
        no_output_timeout=_timeout(fields.get("no_output_timeout")),
    )


def _command(place: Cursor) -> str:
    command = place.text()
    if not command.strip():
        raise place.error("the command is empty")
    return command


def _first_line(command: str) -> str:
    return command.strip().splitlines()[0].strip()[:_NAME_LENGTH]


def _name(place: Cursor | None, default: str) -> str:
    name = "" if place is None else " ".join(place.text().split())
    return name or default


def _when(place: Cursor | None) -> When:
    if place is None:
        return When.ON_SUCCESS
    try:
        return When(place.text())
    except ValueError as error:
        raise place.error("has to be on_success, on_fail or always") from error


def _timeout(place: Cursor | None) -> timedelta:
    return DEFAULT_NO_OUTPUT_TIMEOUT if place is None else duration(place)


def directory(place: Cursor) -> str:
    """Return the path at `place`; ConfigError if it is empty or holds control characters."""
    path = place.text().strip()
    if not path or not path.isprintable():
        raise place.error("has to be a path")
    return path


def compile_environment(place: Cursor | None) -> dict[str, str]:
    """Return the variables at `place`: a map, or a list of maps and of `NAME=value`.

    Later ones win. Absent and null are empty.

    Raises:
        ConfigError: it has another shape, a name no shell can use, or a value that is no scalar.
    """
    if place is None or place.is_null:
        return {}
    if not place.is_sequence:
        return _variables(place)
    found: dict[str, str] = {}
    for item in place.items():
        found |= _variables(item) if item.is_mapping else _assignment(item)
    return found


def _variables(place: Cursor) -> dict[str, str]:
    return {
        _variable(name, value, key_is_name=True): value_text(value)
        for name, value in place.fields().items()
    }


def _assignment(place: Cursor) -> dict[str, str]:
    name, equals, value = place.text().partition("=")
    if not equals:
        raise place.error("has to be written NAME=value")
    return {_variable(name, place, key_is_name=False): value}


def _variable(name: str, place: Cursor, *, key_is_name: bool) -> str:
    if not _VARIABLE.fullmatch(name):
        reason = "not a name that a shell takes for a variable"
        raise place.key_error(reason) if key_is_name else place.error(reason)
    return name
