"""Makes the functions on the way of a push quick from their first call on.

On AWS a call finds a warm function or waits for a cold one. Here nobody else shares the machine, so
the workers are started ahead, and each is asked once for something that does not exist: that loads
what it loads late and opens its connections.
"""

import http.client
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from chalicelib.errors import LocalStackError
from chalicelib.keyring.protocol import Secret
from chalicelib.local.deploy import AwsSession
from chalicelib.local.emulator import Emulator

__all__ = ["warm"]

_BUSY = ("APIHandler", "DispatchAttempt")
_OTHERS = ("PlanPipeline", "FinishJob")
_NOBODY = "warmupwarmupwarm"
_ANSWER_LIMIT_S = 30


def warm(emulator: Emulator, session: AwsSession, *, port: int, token: Secret) -> None:
    """Start the workers and let each make its connections; nothing is changed by it."""
    emulator.warm(named=(*_BUSY, *_OTHERS))
    emulator.warm(workers=2, named=_BUSY)
    attempt = {"job": _NOBODY, "fence": 1, "version": 1}
    calls: list[Callable[[], object]] = [
        lambda: session.invoke("PlanPipeline", {"pipeline": _NOBODY}),
        lambda: session.invoke("DispatchAttempt", {**attempt, "task_token": ""}),
        lambda: session.invoke("FinishJob", attempt),
        lambda: _read(port, token),
    ]
    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(call) for call in calls]:
            with suppress(LocalStackError):  # there is no such attempt, and that is the answer
                done.result()


def _read(port: int, token: Secret) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_LIMIT_S)
    try:
        headers = {"Authorization": f"Bearer {token.reveal()}"}
        connection.request("GET", "/api/pipelines", headers=headers)
        connection.getresponse().read()
    finally:
        connection.close()
