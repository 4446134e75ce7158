"""What a person sees, in a real browser, while a real build runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.system.installation import Installation, config_of

pytestmark = [pytest.mark.lxd, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

_QUIET = (
    "--headless=new",
    "--no-sandbox",  # Chromium's own needs a user that is not root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    """A fresh headless browser that talks to nobody but us."""
    options = ChromeOptions()
    for argument in (*_QUIET, f"--user-data-dir={tmp_path}"):
        options.add_argument(argument)
    running = Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        yield running
    finally:
        running.quit()


def _text(browser: Chrome) -> str:
    return str(browser.find_element(By.TAG_NAME, "main").text)


def test_the_page_of_a_running_build_shows_new_lines_without_a_reload(
    installation: Installation, browser: Chrome
) -> None:
    pipeline = installation.push(
        config_of("'for n in 1 2 3 4 5 6; do echo \"line $n\"; sleep 2; done'")
    )
    installation.wait_running(pipeline)
    browser.get(installation.stack.sign_in_link())
    browser.get(f"{installation.places.url}/pipelines/{pipeline}")
    browser.execute_script("window.sameDocument = true")
    first = _text(browser)

    WebDriverWait(browser, 60).until(lambda page: "line 6" in _text(page))
    WebDriverWait(browser, 60).until(lambda page: "succeeded" in _text(page).lower())

    assert "line 6" not in first
    assert browser.execute_script("return window.sameDocument") is True


def test_a_sign_in_link_leads_to_the_list_and_the_list_to_the_pipeline(
    installation: Installation, browser: Chrome
) -> None:
    pipeline = installation.push(config_of("'echo \"<b>not bold</b>\"'"))
    installation.wait_end(pipeline)

    browser.get(installation.stack.sign_in_link())
    browser.find_element(By.CSS_SELECTOR, f'a[href="pipelines/{pipeline}"]').click()

    WebDriverWait(browser, 20).until(lambda page: pipeline in page.current_url)
    assert browser.find_elements(By.TAG_NAME, "b") == []
    assert "Timeline" in browser.page_source or "timeline" in browser.page_source


def test_a_stranger_is_asked_for_the_token(installation: Installation, browser: Chrome) -> None:
    browser.get(f"{installation.places.url}/")

    assert browser.find_elements(By.NAME, "token")
    assert browser.find_elements(By.CSS_SELECTOR, 'a[href^="pipelines/"]') == []
