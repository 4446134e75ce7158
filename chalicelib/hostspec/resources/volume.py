"""Where a host finds a volume of EBS: one pure function, and no resource.

Which of `/dev/nvme1n1`, `/dev/nvme2n1` a volume becomes changes from boot to boot. udev(7) makes a
link of the volume's own id, which the NVMe controller tells as its serial number; Amazon Linux,
Debian and Ubuntu have its rules. (Amazon EC2 User Guide, "Map Amazon EBS volumes to NVMe device
names".)
"""

import re

from chalicelib.errors import SpecError

__all__ = ["ebs_device"]

_VOLUME = re.compile(r"vol-([0-9a-f]{17}|[0-9a-f]{8})")


def ebs_device(volume_id: str) -> str:
    """Return the path by which a host has a volume that is attached to it.

    >>> ebs_device("vol-0123456789abcdef0")
    '/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0'

    Raises:
        SpecError: it is no id of a volume.
    """
    found = _VOLUME.fullmatch(volume_id)
    if not found:
        raise SpecError(reason=f"{volume_id!r} is no id of an EBS volume")
    return f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol{found[1]}"
