"""The one place for logging: JSON lines by Powertools, with the identity of the work on every line.

`identify` adds delivery, pipeline, job or fence to every line of the current invocation; `fresh`
forgets them, and is called at the start of each.
"""

from typing import Any

from aws_lambda_powertools import Logger

__all__ = ["fresh", "identify", "logger"]

logger = Logger(service="berth", utc=True)


def fresh(**identity: Any) -> None:
    """Start an invocation: forget the identity of the last one, and take this one's."""
    logger.clear_state()
    identify(**identity)


def identify(**identity: Any) -> None:
    """Put these on every following line of this invocation; None values are left out."""
    logger.append_keys(**{name: value for name, value in identity.items() if value is not None})
