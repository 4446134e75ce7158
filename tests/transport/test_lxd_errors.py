"""What LXD's client can raise, as errors of ours: no class of its libraries is forgotten."""

import inspect
import json
import ssl
from types import ModuleType, SimpleNamespace

import pytest
import requests
import ws4py.exc
from pylxd import exceptions

from chalicelib.errors import (
    AuthenticationError,
    BerthError,
    ConnectionLostError,
    HostKeyError,
    HostUnreachableError,
    TransportSettingError,
)
from chalicelib.transport.lxd_errors import FOREIGN, TABLE, reason_of, translated


def classes_of(module: ModuleType) -> list[type[Exception]]:
    """Return the errors that a module has; warnings are not raised."""
    return [
        found
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Exception) and not issubclass(found, Warning)
    ]


def answered(status: int) -> exceptions.LXDAPIException:
    """Return what pylxd raises for an answer of LXD."""
    response = SimpleNamespace(status_code=status, json=lambda: {"error": "said so"}, content=b"")
    return exceptions.LXDAPIException(response)


@pytest.mark.parametrize("module", [exceptions, requests.exceptions, ws4py.exc])
def test_each_class_is_in_the_table_and_caught(module: ModuleType) -> None:
    found = classes_of(module)

    assert found
    assert [each.__name__ for each in found if each not in TABLE] == []
    assert [each.__name__ for each in found if not issubclass(each, FOREIGN)] == []


@pytest.mark.parametrize(
    ("error", "sent", "kind"),
    [
        (answered(404), False, HostUnreachableError),
        (answered(500), True, ConnectionLostError),
        (answered(403), False, AuthenticationError),
        (exceptions.ClientConnectionFailed("gone"), False, HostUnreachableError),
        (exceptions.LXDAPIExtensionNotAvailable("projects"), False, TransportSettingError),
        (requests.exceptions.InvalidURL("bad"), False, TransportSettingError),
        (requests.exceptions.SSLError("another"), False, HostKeyError),
        (ssl.SSLCertVerificationError("another"), True, HostKeyError),
        (requests.exceptions.ReadTimeout("slow"), False, HostUnreachableError),
        (json.JSONDecodeError("no", "<html>", 0), False, HostUnreachableError),
        (ws4py.exc.HandshakeError("no"), True, ConnectionLostError),
        (BrokenPipeError(), True, ConnectionLostError),
    ],
)
def test_an_error_becomes_what_the_caller_can_do(
    error: Exception, *, sent: bool, kind: type[BerthError]
) -> None:
    found = translated(error, host="c1", sent=sent)

    assert type(found) is kind


def test_lxds_own_words_are_the_reason() -> None:
    assert reason_of(answered(400)) == "said so"
    assert reason_of(BrokenPipeError()) == "BrokenPipeError"


def test_an_answer_that_is_not_lxds_has_a_reason_all_the_same() -> None:
    response = SimpleNamespace(status_code=200, json=list, content=b"")

    assert reason_of(exceptions.LXDAPIException(response)) == "LXDAPIException"
