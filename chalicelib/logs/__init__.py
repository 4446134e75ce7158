"""What attempts printed, how their steps went, and their results. See `protocol`.

Drivers are imported from their modules by `wiring`, so that nobody pays for clients unasked.
"""

from chalicelib.logs.protocol import DEFAULT_TAIL_BYTES, LogPage, LogStore
from chalicelib.logs.window import LogWindow, read_window

__all__ = ["DEFAULT_TAIL_BYTES", "LogPage", "LogStore", "LogWindow", "read_window"]
