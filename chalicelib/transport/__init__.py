"""Running commands on a host, wherever it is. See `protocol` for what holds everywhere.

Drivers that need a library are imported by their files: `ssh`, `ssm`, `lxd`.
"""

from chalicelib.transport.children import Child, run_attached, start_child
from chalicelib.transport.conditions import (
    boot_id,
    port_open,
    process_running,
    wait_boot_changed,
    wait_file,
    wait_port,
    wait_process_running,
    wait_reachable,
    wait_systemd_ready,
)
from chalicelib.transport.detached import start
from chalicelib.transport.fenced import Fenced
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
from chalicelib.transport.streams import Stream
from chalicelib.transport.wrappers import (
    AsUser,
    DryRun,
    InFolder,
    Retrying,
    Sudo,
    Trace,
    Traced,
    WithEnvironment,
)

__all__ = [
    "AsUser",
    "Call",
    "Child",
    "Chunk",
    "DryRun",
    "Fenced",
    "InFolder",
    "Input",
    "LocalTransport",
    "OnOutput",
    "Result",
    "Retrying",
    "RunOptions",
    "Stream",
    "StreamName",
    "Sudo",
    "Trace",
    "Traced",
    "Transport",
    "WithEnvironment",
    "boot_id",
    "port_open",
    "process_running",
    "run_attached",
    "start",
    "start_child",
    "wait_boot_changed",
    "wait_file",
    "wait_port",
    "wait_process_running",
    "wait_reachable",
    "wait_systemd_ready",
]
