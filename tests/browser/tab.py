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

# Far more than a loaded machine needs: a test that waits this long has failed.
PATIENCE_SECONDS = 30


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
        self._driver = driver
        self._emulated: dict[str, dict[str, Any]] = {}

    def open(self, page: Path, key: str | None = None) -> None:
        """Load a page, at a result if there is a key, and wait until it is ready."""
        self._driver.get("about:blank")
        fragment = f"#{urlencode({'key': key}, quote_via=quote)}" if key else ""
        self._driver.get(page.as_uri() + fragment)
        self.wait_for(lambda: self.script("return 'ready' in document.documentElement.dataset"))

    def show(self, key: str) -> None:
        """Follow a link to a result within the page."""
        self.script("location.hash = arguments[0]", urlencode({"key": key}, quote_via=quote))
        self.wait_for(lambda: "bucket" in (link := self.address()) and link["key"] == key)

    def wait_for_text(self, css: str, text: str) -> None:
        """Wait until the only element that matches has this text."""
        self.wait_for(lambda: self.texts(css) == [text])

    def wait_for(self, condition: Callable[[], Any]) -> None:
        """Wait until something is true."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)

    # Actions

    def script(self, code: str, *arguments: Any) -> Any:  # noqa: ANN401, any value of JavaScript
        """Run JavaScript."""
        return self._driver.execute_script(code, *arguments)

    def catch_copies(self) -> None:
        """Keep what the page copies, in place of the clipboard; see `copied`."""
        self.script(
            "window.copied = null;"
            "Object.defineProperty(navigator, 'clipboard',"
            " { value: { writeText: async (text) => { window.copied = text; } } })"
        )

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            ActionChains(self._driver).send_keys(key).perform()

    def click(self, css: str) -> None:
        """Click on an element."""
        self.one(css).click()

    def write(self, css: str, text: str) -> None:
        """Replace a field's text."""
        self.one(css).clear()
        self.one(css).send_keys(text)

    def point_at(self, x: float, y: float) -> None:
        """Move the mouse."""
        self._mouse("mouseMoved", x, y)

    def turn_wheel(self, x: float, y: float, pixels: float) -> None:
        """Turn the mouse's wheel."""
        self._mouse("mouseWheel", x, y, deltaX=0, deltaY=pixels)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag with the mouse."""
        left: dict[str, Any] = {"button": "left", "buttons": 1, "clickCount": 1}
        self._mouse("mousePressed", *start, **left)
        self._mouse("mouseMoved", *end, **left)
        self._mouse("mouseReleased", *end, **left)

    def _mouse(self, kind: str, x: float, y: float, **more: Any) -> None:  # noqa: ANN401
        self._driver.execute_cdp_cmd(
            "Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **more}
        )

    def touch(self, *moments: list[tuple[float, float]]) -> None:
        """Put fingers at these places, one moment after the other, then lift them."""
        kinds = ["touchStart"] + ["touchMove"] * (len(moments) - 1) + ["touchEnd"]
        for kind, places in zip(kinds, [*moments, []], strict=True):
            points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
            self._driver.execute_cdp_cmd(
                "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
            )

    def set_window(self, width: int, height: int, *, phone: bool = False) -> None:
        """Resize the window; a phone has touch and more pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1 + phone, "mobile": phone}
        self._emulate("setDeviceMetricsOverride", size)
        self._emulate("setTouchEmulationEnabled", {"enabled": phone})

    def set_media(self, scheme: str, *, still: bool = False) -> None:
        """Set the system's preferences: light or dark, with or without motion."""
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
        ]
        self._emulate("setEmulatedMedia", {"features": features})

    def print_media(self, *, on: bool) -> None:
        """Show the page as it is printed, or no longer."""
        self._emulate("setEmulatedMedia", {"media": "print" if on else ""})

    def _emulate(self, command: str, value: dict[str, Any]) -> None:
        if self._emulated.get(command) != value:
            self._driver.execute_cdp_cmd(f"Emulation.{command}", value)
            self._emulated[command] = value

    # Observations

    def one(self, css: str) -> WebElement:
        """The first element that matches."""
        return self._driver.find_element(By.CSS_SELECTOR, css)

    def count(self, css: str) -> int:
        """The number of elements that match."""
        return len(self._driver.find_elements(By.CSS_SELECTOR, css))

    def text(self, css: str) -> str:
        """The text of the first element that matches."""
        return self.texts(css)[0]

    def texts(self, css: str) -> list[str]:
        """The texts of all elements that match."""
        return self._each(css, "node.textContent")

    def keys(self) -> list[str]:
        """The keys of the cards, in order, as they are shown."""
        return self._each("#gallery .key", "node.title")

    def opened(self) -> str:
        """The key of the result in the detail view."""
        return self._each("#detail-key", "node.title")[0]  # type: ignore[no-any-return]

    def box(self, css: str) -> Box:
        """Where the first element that matches is."""
        return self.boxes(css)[0]

    def boxes(self, css: str) -> list[Box]:
        """Where all elements that match are."""
        boxes = self._each(css, "node.getBoundingClientRect().toJSON()")
        return [Box(*(box[name] for name in Box._fields)) for box in boxes]

    def _each(self, css: str, value: str) -> list[Any]:
        code = f"return [...document.querySelectorAll(arguments[0])].map((node) => {value})"
        found: list[Any] = self.script(code, css)
        return found

    def copied(self) -> str:
        """What was copied last."""
        text: str = self.script("return window.copied")
        return text

    def value(self, css: str) -> str:
        """A field's text."""
        return self._each(css, "node.value")[0]  # type: ignore[no-any-return]

    def address(self) -> dict[str, str]:
        """What the part after # says."""
        found: dict[str, str] = self.script(
            "return Object.fromEntries(new URLSearchParams(location.hash.slice(1)))"
        )
        return found

    def focused(self) -> str:
        """The element that has the focus: its id, class or tag."""
        name: str = self.script(
            "const node = document.activeElement;"
            "return node.id || node.getAttribute('class') || node.tagName"
        )
        return name

    def console(self) -> list[str]:
        """The browser's messages since the last call."""
        log = self._driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in log]
