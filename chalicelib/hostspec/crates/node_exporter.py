"""The host's own metrics, for Prometheus."""

from chalicelib.hostspec.resource import Resource
from chalicelib.hostspec.resources import File, Packages, Service

__all__ = ["node_exporter"]


def node_exporter(
    address: str = "127.0.0.1:9100", collectors: tuple[str, ...] = ()
) -> tuple[Resource, ...]:
    """Return Prometheus's node exporter.

    Args:
        address: where it answers. Default: on this host only; it has no passwords of its own.
        collectors: more of them than by default, such as `systemd`.
    """
    options = [f"--web.listen-address={address}", *(f"--collector.{each}" for each in collectors)]
    settings = File(
        path="/etc/default/prometheus-node-exporter",
        content=f'ARGS="{" ".join(options)}"\n',
        needs=("packages prometheus-node-exporter",),
    )
    return (
        Packages(names=("prometheus-node-exporter",)),
        settings,
        Service(unit="prometheus-node-exporter.service", on_change_of=(settings.name,)),
    )
