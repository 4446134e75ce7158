"""Running commands on a host, wherever it is. See `protocol` for what holds everywhere.

Drivers that need a library are imported by their files: `ssh`, `ssm`, `lxd`.
"""

from chalicelib.transport.local import LocalTransport
from chalicelib.transport.protocol import (
    Call,
    Chunk,
    Input,
    OnOutput,
    RunOptions,
    StreamName,
    Transport,
)
from chalicelib.transport.result import Result

__all__ = [
    "Call",
    "Chunk",
    "Input",
    "LocalTransport",
    "OnOutput",
    "Result",
    "RunOptions",
    "StreamName",
    "Transport",
]
