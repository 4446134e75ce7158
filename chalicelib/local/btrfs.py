"""Simple quotas on the storage pool, which LXD does not know of but lives with."""

import fcntl
import os
import struct
from pathlib import Path

__all__ = ["use_simple_quotas"]

_QUOTA_CTL = 0xC0109428  # _IOWR(0x94, 40, struct btrfs_ioctl_quota_ctl_args)
_ENABLE_SIMPLE = 4


def use_simple_quotas(mount: Path) -> bool:
    """Turn simple quotas on for a btrfs file system that has none; return whether they are on.

    LXD would turn full quotas on at the first disk limit. Those charge every change of a shared
    block to all that share it: after each container's removal the kernel computes for a second, and
    the next copy waits for it. Measured 2026-11-23, copy of a container, medians of 8 beside other
    load: 0.49 to 0.67 s with full quotas, 0.39 to 0.47 s with simple ones. Simple quotas charge a
    block to the container that wrote it, which is also what a job's limit should mean.

    Linux 6.7 and later; before that LXD's own way stays. The ioctl is used because btrfs-progs
    before 6.7 has no command for it.
    """
    try:
        handle = os.open(mount, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False  # the snap's pools are mounted where only the snap sees them
    try:
        fcntl.ioctl(handle, _QUOTA_CTL, bytearray(struct.pack("QQ", _ENABLE_SIMPLE, 0)))
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(handle)
