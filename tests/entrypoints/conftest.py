"""The whole application in this process, over the verified fakes; time stands still."""

from collections.abc import Iterator

import pytest

from chalicelib import wiring
from tests.entrypoints.browser import Application
from tests.services.installation import make_site


@pytest.fixture
def application() -> Iterator[Application]:
    """The application with one host of two slots."""
    site = make_site()
    with wiring.using(site.berth):
        yield Application(site=site)
