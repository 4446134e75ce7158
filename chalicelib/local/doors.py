"""One process that serves the front door and the forge. `python -m chalicelib.local.doors`.

It is told everything by arguments, so that a process list says what it is.
"""

import argparse
import asyncio
import logging
import signal
from pathlib import Path

from aiohttp import web

from chalicelib.local.edge import front_door
from chalicelib.local.forge import forge

__all__ = ["main"]


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="of the front door")
    parser.add_argument("--forge-port", type=int, required=True)
    parser.add_argument("--route", type=Path, required=True, help="file that names the deployment")
    parser.add_argument("--repositories", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for caught in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(caught, stop.set)
    served = {
        options.port: front_door(options.route),
        options.forge_port: forge(options.repositories),
    }
    runners = []
    for port, app in served.items():
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        runners.append(runner)
    logging.getLogger(__name__).info("front door %d, forge %d", options.port, options.forge_port)
    await stop.wait()
    for runner in runners:
        await runner.cleanup()


if __name__ == "__main__":
    main()
