"""One browser for all tests, Debian's Chromium without a network, and the reports it opens."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tests.browser.gallery import Gallery
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
def only_tab() -> Iterator[Tab]:
    """The browser's one tab. On CI a missing browser is a failure, elsewhere a skip."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
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
    with webdriver.Chrome(options=options, service=Service(driver)) as started:
        yield Tab(started)


@pytest.fixture
def tab(only_tab: Tab) -> Iterator[Tab]:
    """A light tab of 1280 x 900 pixels. No test may leave anything in the console."""
    only_tab.set_window(1280, 900)
    only_tab.set_media("light")
    yield only_tab
    assert only_tab.console() == []


@pytest.fixture(scope="session")
def gallery(services: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """One result of each kind."""
    gallery = Gallery(services, "gallery", tmp_path_factory.mktemp("gallery"))
    gallery.fill()
    return gallery


@pytest.fixture(scope="session")
def page(gallery: Gallery) -> Path:
    """The report of all of them."""
    return gallery.write("all", title="The party")


@pytest.fixture(scope="session")
def hostile_page(services: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose keys, error message and title try to run scripts."""
    gallery = Gallery(services, "hostile", tmp_path_factory.mktemp("hostile"))
    gallery.fill_hostile()
    return gallery.write("hostile", title="</title><script>window.harmed = 1</script>")
