from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.errors import SettingError
from chalicelib.settings import Settings

_PAGE = Path(__file__).resolve().parent.parent / "docs/settings.md"


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()


def test_a_duration_is_given_in_seconds() -> None:
    assert Settings.from_environment({"BERTH_LEASE_S": "15"}).lease == timedelta(seconds=15)


def test_an_address_loses_its_final_slash() -> None:
    assert Settings.from_environment({"BERTH_API_URL": "http://a:1/"}).api_url == "http://a:1"


@pytest.mark.parametrize("text", ["soon", "0", "-3", "1.5", "1e3"])
def test_a_malformed_number_names_its_variable(text: str) -> None:
    with pytest.raises(SettingError, match="BERTH_LEASE_S"):
        Settings.from_environment({"BERTH_LEASE_S": text})


def test_each_setting_is_documented_with_its_meaning() -> None:
    page = _PAGE.read_text()

    for item in fields(Settings):
        assert f"`{item.metadata['variable']}`" in page
        assert item.metadata["meaning"] in page
