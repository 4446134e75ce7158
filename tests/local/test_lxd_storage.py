import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.errors import LocalStackError
from chalicelib.local.btrfs import use_simple_quotas
from chalicelib.local.lxd_storage import ensure_pool
from tests.lxd_site import LxdSite


@pytest.fixture
def pool(lxd: LxdSite) -> Iterator[str]:
    """Name of a pool that is not there, and is not there afterwards."""
    name = f"berth-test-{os.getpid()}"
    yield name
    lxd.api.delete("storage-pools", name)


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_new_pool_is_ours_and_takes_room_only_as_it_fills(lxd: LxdSite, pool: str) -> None:
    socket = Path(lxd.facts.socket)

    ensure_pool(lxd.api, socket, pool=pool)
    made = lxd.api.get("storage-pools", pool)
    ensure_pool(lxd.api, socket, pool=pool)

    assert lxd.api.get("storage-pools", pool) == made
    assert made["driver"] == "btrfs"
    assert made["config"]["user.berth"] == "true"
    assert Path(made["config"]["source"]).stat().st_blocks * 512 < 100 << 20


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_new_pool_has_quotas_before_lxd_asks_for_them(lxd: LxdSite, pool: str) -> None:
    """LXD adds full quotas only to a pool that has none."""
    ensure_pool(lxd.api, Path(lxd.facts.socket), pool=pool)

    mount = Path(lxd.facts.socket).parent / "storage-pools" / pool
    shown = subprocess.run(
        ["btrfs", "qgroup", "show", str(mount)], capture_output=True, check=False
    )
    assert (shown.returncode == 0) == use_simple_quotas(mount)


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_pool_of_somebody_elses_is_not_used(lxd: LxdSite, pool: str) -> None:
    lxd.api.post("storage-pools", body={"name": pool, "driver": "dir"})

    with pytest.raises(LocalStackError, match=pool):
        ensure_pool(lxd.api, Path(lxd.facts.socket), pool=pool)


def test_a_folder_that_is_not_btrfs_has_no_simple_quotas(tmp_path: Path) -> None:
    assert not use_simple_quotas(tmp_path / "nowhere")
    assert not use_simple_quotas(Path("/proc"))
