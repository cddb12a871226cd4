"""One browser for all tests: Debian's Chromium, without a network."""

import os
import shutil
from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.browser.tab import Tab

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[webdriver.Chrome]:
    """The browser. Where it has to be there and is not, that is a failure."""
    programs = [shutil.which("chromium"), shutil.which("chromedriver")]
    browser, driver = programs
    if browser is None or driver is None:
        reason = "no chromium and chromedriver: apt-get install chromium chromium-driver"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for option in _OPTIONS:
        options.add_argument(option)
    started = webdriver.Chrome(options=options, service=Service(driver))
    yield started
    started.quit()


@pytest.fixture
def tab(chromium: webdriver.Chrome) -> Iterator[Tab]:
    """A tab of 1280 x 900 pixels, light; whatever the test does, the console stays empty."""
    tab = Tab(chromium)
    tab.set_window(1280, 900)
    tab.set_media("light")
    yield tab
    assert tab.console() == []
