"""What Berth reads from GitHub, and how its deliveries are checked. See `protocol`.

The drivers (`rest`, `memory`) are not imported here: the webhook function, whose cold start is
measured, needs neither. `wiring` imports the one it chooses.
"""

from chalicelib.github.protocol import Github
from chalicelib.github.webhook import (
    Delivery,
    Ignored,
    PipelineRequest,
    Pong,
    decode_body,
    read_delivery,
    verify_signature,
)

__all__ = [
    "Delivery",
    "Github",
    "Ignored",
    "PipelineRequest",
    "Pong",
    "decode_body",
    "read_delivery",
    "verify_signature",
]
