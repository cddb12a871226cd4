"""A browser's tab: what tests do in it, and what they see."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

PATIENCE_SECONDS = 20


class Box(NamedTuple):
    """A rectangle on the screen, in CSS pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle."""
        return self.x + self.width / 2, self.y + self.height / 2


class Tab:
    """Drives the one tab."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        """Use this browser."""
        self._driver = driver

    def open(self, page: Path, **link: str) -> None:
        """Open a page anew, at a result if its key is named; wait until it is there."""
        self._driver.get("about:blank")
        fragment = f"#{urlencode(link, quote_via=quote)}" if link else ""
        self._driver.get(page.as_uri() + fragment)
        self.wait_for(lambda: self.script("return 'ready' in document.documentElement.dataset"))

    def wait_for(self, condition: Callable[[], Any]) -> None:
        """Wait until something is so."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, "it never became so"
            time.sleep(0.02)

    # What is done

    def script(self, code: str, *arguments: Any) -> Any:  # noqa: ANN401, whatever it returns
        """Run JavaScript."""
        return self._driver.execute_script(code, *arguments)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            ActionChains(self._driver).send_keys(key).perform()

    def click(self, css: str) -> None:
        """Click on something."""
        self.one(css).click()

    def write(self, css: str, text: str) -> None:
        """Replace a field's text."""
        self.one(css).clear()
        self.one(css).send_keys(text)

    def point_at(self, x: float, y: float) -> None:
        """Move the mouse."""
        self._driver.execute_cdp_cmd(
            "Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y}
        )

    def turn_wheel(self, x: float, y: float, pixels: float) -> None:
        """Turn the mouse's wheel at a place."""
        self._driver.execute_cdp_cmd(
            "Input.dispatchMouseEvent",
            {"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": pixels},
        )

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag by the mouse."""
        common = {"button": "left", "buttons": 1, "clickCount": 1}
        for kind, (x, y) in (
            ("mousePressed", start),
            ("mouseMoved", end),
            ("mouseReleased", end),
        ):
            self._driver.execute_cdp_cmd(
                "Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **common}
            )

    def touch(self, *moments: list[tuple[float, float]]) -> None:
        """Have fingers at these places, moment after moment, then lift them."""
        kinds = ["touchStart"] + ["touchMove"] * (len(moments) - 1) + ["touchEnd"]
        for kind, places in zip(kinds, [*moments, []], strict=True):
            points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
            self._driver.execute_cdp_cmd(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
            )

    def set_window(self, width: int, height: int, *, phone: bool = False) -> None:
        """Another size; a phone has touch and more pixels."""
        self._driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": width,
                "height": height,
                "deviceScaleFactor": 2 if phone else 1,
                "mobile": phone,
            },
        )
        self._driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": phone})

    def set_media(self, scheme: str, *, still: bool = False) -> None:
        """What the system says of light and of motion."""
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
        ]
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def watch_long_tasks(self) -> None:
        """Have every page from now on remember what blocks it for 50 ms and more."""
        code = """
            window.longTasks = [];
            new PerformanceObserver((list) => {
              longTasks.push(...list.getEntries().map((entry) => entry.duration));
            }).observe({ type: 'longtask', buffered: true });
        """
        self._driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": code})

    # What is seen

    def one(self, css: str) -> WebElement:
        """The only or the first element."""
        return self._driver.find_element(By.CSS_SELECTOR, css)

    def count(self, css: str) -> int:
        """How many elements there are."""
        return len(self._driver.find_elements(By.CSS_SELECTOR, css))

    def text(self, css: str) -> str:
        """An element's text, as it is in the page."""
        text: str = self.script("return document.querySelector(arguments[0]).textContent", css)
        return text

    def texts(self, css: str) -> list[str]:
        """The texts of all such elements."""
        texts: list[str] = self.script(
            "return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent)",
            css,
        )
        return texts

    def box(self, css: str) -> Box:
        """Where an element is."""
        return self.boxes(css)[0]

    def boxes(self, css: str) -> list[Box]:
        """Where all such elements are."""
        found = self.script(
            "return [...document.querySelectorAll(arguments[0])].map((node) => {"
            "const box = node.getBoundingClientRect();"
            "return [box.x, box.y, box.width, box.height]; })",
            css,
        )
        return [Box(*numbers) for numbers in found]

    def keys(self) -> list[str]:
        """The keys of the cards, in order, as they are shown."""
        return [title for title in self.titles(".card .key") if title is not None]

    def titles(self, css: str) -> list[str | None]:
        """The titles of all such elements."""
        titles: list[str | None] = self.script(
            "return [...document.querySelectorAll(arguments[0])]"
            ".map((node) => node.getAttribute('title'))",
            css,
        )
        return titles

    def console(self) -> list[str]:
        """What the browser has complained of since the last time."""
        log = self._driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in log]

    def focused(self) -> str:
        """What has the focus: its id, or its class."""
        name: str = self.script(
            "const node = document.activeElement;"
            "return node.id || node.getAttribute('class') || node.tagName"
        )
        return name
