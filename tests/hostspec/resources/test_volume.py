import doctest

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec.resources import Filesystem, volume
from chalicelib.hostspec.resources.mount import Mount


def test_the_examples_are_true() -> None:
    assert doctest.testmod(volume).failed == 0


def test_a_volume_can_be_formatted_and_mounted() -> None:
    device = volume.ebs_device("vol-49df1a2b")

    assert Filesystem(device=device).device == device
    assert Mount(source=device, path="/srv").source == device


@pytest.mark.parametrize(
    "wrong",
    ["", "vol-", "vol-0123456789ABCDEF0", "0123456789abcdef0", "vol-../../sda", "vol-49df1a2b "],
)
def test_what_is_no_volume_is_refused(wrong: str) -> None:
    with pytest.raises(SpecError, match="no id of an EBS volume"):
        volume.ebs_device(wrong)
