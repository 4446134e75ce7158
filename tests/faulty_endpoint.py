"""A proxy in front of an AWS endpoint that refuses calls and loses answers, as no emulator does.

It is microburst (https://github.com/pingedbrain/microburst). Its rules fire in turns and not by
chance: some calls fail, then enough pass that no call fails as often as the product tries.
"""

import json
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from chalicelib.clock import SteadyClock
from chalicelib.local.ports import free_port
from chalicelib.wait import wait_for

__all__ = ["FAULTS", "FaultyEndpoint", "faulty_endpoint_before"]


def _turns(passing: int, operation: str, **effect: Any) -> dict[str, Any]:
    turns = {"fail": 1, "pass": passing}
    return {"service": "dynamodb", "operation": operation, "sequence": turns, **effect}


def _cancelled(*codes: str) -> dict[str, Any]:
    reasons = [{"Code": code} for code in codes]
    error = {
        "code": "TransactionCanceledException",
        "status": 400,
        "message": f"Transaction cancelled, please refer cancellation reasons: [{', '.join(codes)}]",
        "fields": {"CancellationReasons": reasons},
    }
    return {"error": error}


_THROTTLED = {"error": {"code": "ProvisionedThroughputExceededException", "status": 400}}
_UNANSWERED = {"response": {"abort_frac": 0.0}}  # applied, and the connection closed

FAULTS: Mapping[str, Mapping[str, Any]] = {
    "conflict on the first item": _turns(
        13, "TransactWriteItems", **_cancelled("TransactionConflict", "None")
    ),
    "transaction unanswered": _turns(7, "TransactWriteItems", **_UNANSWERED),
    "transaction throttled": _turns(17, "TransactWriteItems", **_THROTTLED),
    "update unanswered": _turns(9, "UpdateItem", **_UNANSWERED),
    "update throttled": _turns(11, "UpdateItem", **_THROTTLED),
    "update meets a transaction": _turns(
        19, "UpdateItem", error={"code": "TransactionConflictException", "status": 400}
    ),
    "put unanswered": _turns(5, "PutItem", **_UNANSWERED),
    "query throttled": _turns(23, "Query", **_THROTTLED),
    "read fails": _turns(29, "GetItem", error={"code": "InternalServerError", "status": 500}),
}
"""The rules by name. Each fires once in its turn; then so many calls of the operation pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyEndpoint:
    """A running proxy. `url` stands for the endpoint's own."""

    url: str

    def fired(self) -> Mapping[str, int]:
        """Return how often each rule has fired, by its name; those that have not are left out."""
        rules = self._ask("rules")
        counts = Counter(
            {name: rule["fired_count"] for name, rule in zip(FAULTS, rules, strict=True)}
        )
        return {name: count for name, count in counts.items() if count}

    def _ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/_microburst/{path}", timeout=5) as answer:  # noqa: S310 - loopback
            return json.load(answer)


@contextmanager
def faulty_endpoint_before(upstream: str, folder: Path) -> Iterator[FaultyEndpoint]:
    """Run the proxy with all of `FAULTS` before an endpoint."""
    port = free_port()
    rules = folder / "faults.yml"
    rules.write_text(yaml.safe_dump({"rules": [dict(rule) for rule in FAULTS.values()]}))
    program = [sys.executable, "-m", "microburst", "--upstream", upstream, "--port", str(port)]
    with (folder / "proxy.log").open("w") as log:
        process = subprocess.Popen([*program, "--config", str(rules)], stdout=log, stderr=log)
        try:
            proxy = FaultyEndpoint(url=f"http://127.0.0.1:{port}")
            wait_for(
                proxy.fired,
                sleep=timedelta(milliseconds=50),
                timeout=timedelta(seconds=15),
                catch=OSError,
                success=lambda _: True,
                clock=SteadyClock(),
            )
            yield proxy
        finally:
            process.terminate()
            process.wait()
