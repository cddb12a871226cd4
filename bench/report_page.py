"""How a report of 1,000 results opens and scrolls: `python -m bench.report_page REPORT.html`.

The results are those of a report, repeated.
"""

import json
import re
import shutil
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from bench.program import ROOT
from landmarks.report.page import page_in

_RESULTS: Final = 1000
_OPTIONS: Final = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")

_WATCH: Final = """
    window.longTasks = [0];
    new PerformanceObserver((list) => {
        longTasks.push(...list.getEntries().map(({ duration }) => duration));
    }).observe({ type: 'longtask', buffered: true });
"""

# 400 pixels a frame, to the end.
_SCROLL: Final = """
    longTasks.length = 1;
    return new Promise((done) => {
        const end = () => setTimeout(() => done(Math.max(...longTasks)), 500);
        const step = (y) => {
            window.scrollTo(0, y);
            const next = y < document.documentElement.scrollHeight ? () => step(y + 400) : end;
            requestAnimationFrame(next);
        };
        step(0);
    });
"""


def _repeat(report: Path, path: Path) -> None:
    texts = re.findall(r'<script type="application/json".*?>(.*?)</script>', report.read_text())
    *contents, head = map(json.loads, texts)
    pairs = list(islice(cycle(zip(head["results"], contents, strict=True)), _RESULTS))
    head["results"] = [{**record, "key": f"{n}.jpg"} for n, (record, _) in enumerate(pairs)]
    with path.open("w", encoding="utf-8") as file, page_in(file, "bench") as page:
        for _, content in pairs:
            page.add_result(content)
        page.add_report(head)


def _measure(path: Path) -> dict[str, Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for option in _OPTIONS:
        options.add_argument(option)
    with webdriver.Chrome(options, Service(shutil.which("chromedriver"))) as browser:
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH})
        start = time.monotonic()
        browser.get(path.as_uri())
        opened = time.monotonic() - start
        return {"open": 1000 * opened, "longest task in scrolling": browser.execute_script(_SCROLL)}


def main() -> None:
    """Measure and print."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        sys.stdout.write("report: not measured, no chromium and chromedriver\n")
        return
    path = ROOT / "build" / "bench" / "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    _repeat(Path(sys.argv[1]), path)
    sys.stdout.write(f"report of {_RESULTS:,} results, {path.stat().st_size / 1e6:.1f} MB\n")
    for name, ms in _measure(path).items():
        sys.stdout.write(f"{name:35}{ms:9.0f}  ms\n")


if __name__ == "__main__":
    main()
