import doctest

import pytest

from chalicelib.hostspec import Spec, apply, redaction
from chalicelib.hostspec.redaction import redacted, secrets_in
from chalicelib.hostspec.resources import Command, Download, File, IniSetting
from chalicelib.shell import Secret, env, pipe, q, ref
from chalicelib.transport import Transport

KEY = Secret("swordfish\nmarlin\n")


def test_the_examples_are_true() -> None:
    assert doctest.testmod(redaction).failed == 0


@pytest.mark.parametrize(
    "value",
    [
        File(path="/a", content=KEY),
        File(path="/a", content=Download(url=KEY, sha256="0" * 64)),
        Command(id="a", run=[pipe("true", env("true", A=KEY))], creates="/a"),
        Command(id="a", run="true", creates="/a", environment={"A": KEY}),
        IniSetting(path="/a", option="a", value=Secret("swordfish")),
    ],
    ids=["file", "download", "command", "environment", "setting"],
)
def test_secrets_are_found_wherever_they_are(value: object) -> None:
    assert {each.split()[0] for each in secrets_in(value)} == {"swordfish"}


def test_each_line_of_a_secret_is_hidden_and_a_short_one_is_not() -> None:
    assert redacted("a marlin, no swordfish\n", [KEY, Secret("a")]) == "a ***, no ***\n"


@pytest.mark.parametrize("user", ["", "daemon"])
def test_a_program_that_prints_its_secret_is_told_without_it(here: Transport, user: str) -> None:
    told = q("echo key {key} is wrong", key=ref("KEY"))
    login = Command(
        id="login",
        run=[told, "false"],
        creates="/nowhere",
        user=user,
        environment={"KEY": Secret("swordfish")},
    )

    outcome = apply(Spec(login), here).outcomes[0]

    assert outcome.tail == "key *** is wrong"
