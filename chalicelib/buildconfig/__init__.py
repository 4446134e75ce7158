"""The config compiler: text in, job specs out. Pure: no I/O, no clock, no settings.

What the language is: <https://circleci.com/docs/configuration-reference/>. Every part of a config
that this compiler does not carry out is refused by name; nothing is silently ignored.
"""

from chalicelib.buildconfig.config import OrbResolver, compile_config
from chalicelib.buildconfig.images import IMAGES

__all__ = ["IMAGES", "OrbResolver", "compile_config"]
