"""The kinds of things that a host can be said to have, one file each."""

from chalicelib.hostspec.resources.directory import Directory
from chalicelib.hostspec.resources.file import Download, File, template
from chalicelib.hostspec.resources.link import Link

__all__ = ["Directory", "Download", "File", "Link", "template"]
