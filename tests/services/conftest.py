"""The installation that the tests of services work on."""

import pytest

from tests.services.installation import Site, make_site


@pytest.fixture
def site() -> Site:
    """An installation with one host of two slots and a tenant limit of three."""
    return make_site()
