"""Logs that cannot fill the disk."""

from chalicelib.hostspec.resource import Resource
from chalicelib.hostspec.resources import Directory, File, Packages, Service

__all__ = ["log_rotation"]


def log_rotation(
    files: tuple[str, ...] = (),
    days: int = 14,
    journal_mib: int = 512,
    largest_mib: int = 100,
) -> tuple[Resource, ...]:
    """Return a bound on systemd's journal, and the rotation of files.

    Args:
        files: paths or patterns of log files, such as `/var/log/berth/*.log`. Default: none.
        days: how many days of them are kept.
        journal_mib: the most that the journal may take.
        largest_mib: a file is rotated before its day when it is larger.
    """
    journal = File(
        path="/etc/systemd/journald.conf.d/berth.conf",
        content=f"[Journal]\nSystemMaxUse={journal_mib}M\nMaxRetentionSec={days}day\n",
        needs=("directory /etc/systemd/journald.conf.d",),
    )
    parts: list[Resource] = [
        Directory(path="/etc/systemd/journald.conf.d"),
        journal,
        Service(unit="systemd-journald.service", enabled=None, on_change_of=(journal.name,)),
    ]
    if files:
        rotation = File(
            path="/etc/logrotate.d/berth",
            content=_rotation(files, days, largest_mib),
            needs=("packages logrotate",),
        )
        parts += [Packages(names=("logrotate",)), rotation]
    return tuple(parts)


def _rotation(files: tuple[str, ...], days: int, largest_mib: int) -> str:
    named = "\n".join(files)
    return f"""\
{named}
{{
    daily
    rotate {days}
    maxsize {largest_mib}M
    missingok
    notifempty
    compress
    delaycompress
    copytruncate
}}
"""
