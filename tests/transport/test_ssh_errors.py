"""Every class that paramiko or a socket may raise becomes one of ours."""

import importlib
import inspect
import pkgutil
import socket

import paramiko
import pytest
from paramiko.ssh_exception import BadHostKeyException, NoValidConnectionsError

from chalicelib.errors import (
    AuthenticationError,
    BerthError,
    ConnectionLostError,
    HostKeyError,
    HostUnreachableError,
)
from chalicelib.transport.ssh_errors import FOREIGN, TABLE, translated

_OPTIONAL = {"paramiko.win_pageant", "paramiko._winapi", "paramiko.win_openssh"}


def _of_paramiko() -> set[type[Exception]]:
    found: set[type[Exception]] = set()
    for module in pkgutil.iter_modules(paramiko.__path__, "paramiko."):
        if module.name in _OPTIONAL:
            continue
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(kind, Exception) and kind.__module__.startswith("paramiko"):
                found.add(kind)
    return found


def _of_sockets() -> set[type[Exception]]:
    members = [kind for _, kind in inspect.getmembers(socket, inspect.isclass)]
    # What is private never leaves the module.
    return {kind for kind in members if issubclass(kind, Exception) and kind.__name__[0] != "_"}


@pytest.mark.parametrize(
    "kind", sorted(_of_paramiko() | _of_sockets(), key=str), ids=lambda kind: kind.__name__
)
def test_each_foreign_class_is_mapped_and_caught(kind: type[Exception]) -> None:
    assert kind in TABLE
    assert issubclass(kind, FOREIGN)


def test_classes_that_a_library_may_add_are_mapped_by_their_base() -> None:
    class NewError(paramiko.SSHException):
        pass

    assert isinstance(translated(NewError("x"), host="h", sent=True), ConnectionLostError)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (paramiko.AuthenticationException("no"), AuthenticationError),
        (paramiko.SSHException("x"), HostUnreachableError),
        (EOFError(), HostUnreachableError),
        (TimeoutError("late"), HostUnreachableError),
        (socket.gaierror(-2, "Name or service not known"), HostUnreachableError),
        (NoValidConnectionsError({("h", 22): OSError("refused")}), HostUnreachableError),
        (
            BadHostKeyException(
                "h", paramiko.RSAKey.generate(1024), paramiko.RSAKey.generate(1024)
            ),
            HostKeyError,
        ),
    ],
)
def test_errors_keep_host_and_reason(error: Exception, expected: type[BerthError]) -> None:
    before = translated(error, host="h", sent=False)
    after = translated(error, host="h", sent=True)

    assert type(before) is expected
    assert before.facts()["reason"]
    assert before.facts()["host"] == "h"
    if expected is HostUnreachableError:
        assert isinstance(after, ConnectionLostError)
        assert after.may_have_run
