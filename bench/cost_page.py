"""The tables of docs/cost.md, from measured figures and list prices."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench import cost, fargate, measured, prices
from bench.measured import BENCH_SOURCE, Figure
from bench.queue_model import Scaling
from bench.queue_scenarios import measured_worker

PAGE: Final = Path("docs/cost.md")

Table = Sequence[Sequence[str]]

# Names in build/bench.json, with descriptions. Milliseconds are wall time of an image, the worker's
# in a batch of ten with one detector on one core.
NAMES: Final = {
    "worker_wall_ms_complexity_0": "640 px, complexity 0",
    "worker_wall_ms_complexity_1": "640 px, complexity 1",
    "worker_wall_ms": "640 px, complexity 2",
    "large_worker_wall_ms_complexity_0": "12 megapixels, complexity 0",
    "large_worker_wall_ms_complexity_1": "12 megapixels, complexity 1",
    "large_worker_wall_ms": "12 megapixels, complexity 2",
    "large_reduced_worker_wall_ms": "12 megapixels, complexity 2, `MAX_IMAGE_SIDE=1920`",
    "baseline_wall_ms": "the blog's handler, 640 px",
    "large_baseline_wall_ms": "the blog's handler, 12 megapixels",
    "worker_wall_p95_ms": "640 px, complexity 2: 19 of 20 take less",
    "init_one_core_ms": "cold start, until the first image is taken up",
    "item_bytes": "item in the table, a person with face and hands",
    "write_units": "write units of it",
    "write_units_int16": "the same with `LANDMARK_ENCODING=int16`",
    "log_bytes": "log lines and metrics of an image",
    "image_mb": "container image, in megabytes",
}

_NOT_MEASURED: Final = "not measured"
_FROM_ELSEWHERE: Final = " †"
_VOLUMES: Final = {"1 thousand": 1e3, "1 million": 1e6, "100 million": 1e8, "1 billion": 1e9}
_CONCURRENCY: Final = (10, 100, 1000)


def tables(figures: Mapping[str, Figure]) -> dict[str, Table]:
    """Every table by its name in the page; the first row is the heading."""
    values = {name: figure.value for name, figure in figures.items()}
    return {
        "images": _images(figures),
        "processors": _processors(values),
        "other": _other(values),
        "hosted": _hosted(),
        "volumes": _volumes(values),
        "limits": _limits(values),
        "figures": _figures(figures),
    }


def _images(figures: Mapping[str, Figure]) -> Table:
    rows = [["a million images", "ms", "Lambda", "SQS", "DynamoDB", "S3", "logs", "**all**"]]
    for name in (name for name in NAMES if name.endswith("_wall_ms") or "_complexity_" in name):
        figure = figures.get(name)
        if figure is None:
            rows.append([NAMES[name], _NOT_MEASURED, *["-"] * 6])
            continue
        mark = "" if figure.source == BENCH_SOURCE else _FROM_ELSEWHERE
        wall = f"{figure.value:,.0f}{mark}"
        rows.append([NAMES[name], wall, *_amounts(_workload(name, figures))])
        if name == "worker_wall_ms" and (small := figures.get("write_units_int16")):
            workload = replace(_workload(name, figures), write_units=small.value)
            label = f"{NAMES[name]}, `LANDMARK_ENCODING=int16`"
            rows.append([label, wall, *_amounts(workload)])
    return rows


def _amounts(workload: cost.Workload) -> list[str]:
    parts = cost.cost(workload)
    amounts = (parts.function, parts.queue, parts.table, parts.objects, parts.logs)
    cells = [_dollars(amount) if amount else "-" for amount in amounts]
    return [*cells, f"**{_dollars(parts.total)}**"]


def _workload(name: str, figures: Mapping[str, Figure]) -> cost.Workload:
    wall_ms = figures[name].value
    if "baseline" in name:
        return cost.blog(wall_ms)
    return cost.worker(wall_ms, {name: figure.value for name, figure in figures.items()})


def _processors(values: Mapping[str, float]) -> Table:
    rows = [["processor", "Lambda", "all", "a task on Fargate, an hour"]]
    wall_ms = values["worker_wall_ms"]
    for architecture, label in (("x86_64", "x86-64"), ("arm64", "arm64, if it is as fast")):
        parts = cost.cost(cost.worker(wall_ms, values, architecture))
        task = fargate.compare(wall_ms, architecture=architecture).fargate_dollars_an_hour
        rows.append([label, _dollars(parts.function), _dollars(parts.total), f"{task:.5f}"])
    return rows


def _other(values: Mapping[str, float]) -> Table:
    return [
        ["besides", "dollars"],
        [
            "a million results kept for a month, with point-in-time recovery",
            _dollars(cost.storage_month(values)),
        ],
        [
            f"a million duplicates: {cost.read_units(values['item_bytes'])} read units each",
            _dollars(cost.duplicate_cost(values)),
        ],
        ["a thousand cold starts", _dollars(cost.cold_start_cost(values))],
        *(
            [f"a month: {what}", _dollars(amount)]
            for what, amount in cost.idle_month(values).items()
        ),
    ]


def _hosted() -> Table:
    rows = [["hosted, list price", "1 million a month", "100 million", "1 billion"]]
    for api in prices.HOSTED_APIS:
        dollars = (api.dollars(images) for images in (1e6, 1e8, 1e9))
        rows.append([f"[{api.name}]({api.page})", *map(_dollars, dollars)])
    return rows


def _volumes(values: Mapping[str, float]) -> Table:
    worker = measured_worker(values)
    per_million = cost.cost(cost.worker(values["worker_wall_ms"], values)).total
    heads = (f"{concurrency:,} functions" for concurrency in _CONCURRENCY)
    rows = [["images at once", "dollars", *heads]]
    for label, images in _VOLUMES.items():
        times = (
            worker.init_seconds
            + Scaling(maximum=concurrency).drain_seconds(images * worker.service.mean)
            for concurrency in _CONCURRENCY
        )
        rows.append([label, _dollars(per_million * images / 1e6), *map(_duration, times)])
    last = (concurrency / worker.service.mean for concurrency in _CONCURRENCY)
    rows.append(["images a second, at last", "", *(f"{rate:,.0f}" for rate in last)])
    return rows


def _limits(values: Mapping[str, float]) -> Table:
    per_function = 1 / measured_worker(values).service.mean
    rows = [["limit", "images a second", "functions that reach it"]]
    for label, rate, per_image in (
        ("one partition's 1,000 write units a second", 1000, values["write_units"]),
        ("a new on-demand table's 4,000", 4000, values["write_units"]),
        ("a table's default quota of 40,000", 40_000, values["write_units"]),
        ("S3's 5,500 GETs a second for a prefix", 5500, 1),
    ):
        images = rate / per_image
        rows.append([label, f"{images:,.0f}", f"{images / per_function:,.0f}"])
    return rows


def _figures(figures: Mapping[str, Figure]) -> Table:
    rows = [["`make bench` name", "what", "figure", "from"]]
    for name, what in NAMES.items():
        figure = figures.get(name)
        cells = [f"{figure.value:,.0f}", figure.source] if figure else ["-", _NOT_MEASURED]
        rows.append([f"`{name}`", what, *cells])
    return rows


def _dollars(amount: float) -> str:
    """Format an amount with a sensible precision."""
    if 0 < amount < 0.01:  # noqa: PLR2004, a cent
        return "< 0.01"
    return f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"  # noqa: PLR2004


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        amount = seconds / size
        if amount >= 2:  # noqa: PLR2004, 90 s rather than 1.5 min
            return f"{amount:,.0f} {unit}" if amount >= 10 else f"{amount:.1f} {unit}"  # noqa: PLR2004
    return f"{seconds:.0f} s"


def to_markdown(table: Table) -> str:
    """Format a table as Markdown, columns of numbers aligned to the right."""
    heading, *rows = table
    numeric = (
        all(re.match(r"[\d*<-]|$|not ", cell) for cell in cells)
        for cells in zip(*rows, strict=True)
    )
    rule = ["---:" if right else "---" for right in numeric]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heading, rule, *rows))


def filled(page: str, figures: Mapping[str, Figure]) -> str:
    """The page with its tables replaced, between their markers."""
    for name, table in tables(figures).items():
        marker = f"<!-- {name}, by make cost -->"
        pattern = rf"({re.escape(marker)}\n\n).*?(\n\n<!-- end -->)"
        content = to_markdown(table).replace("\\", r"\\")
        page, count = re.subn(pattern, rf"\g<1>{content}\g<2>", page, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"{marker} is expected once, but found {count} times")
    return page


def main() -> int:
    """Print the tables, or write them to the page; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--docs", action="store_true", help="write docs/cost.md, from the committed figures"
    )
    parser.add_argument(
        "--adopt",
        action="store_true",
        help="first adopt the figures of build/bench.json",
    )
    options = parser.parse_args()
    if options.adopt:
        measured.adopt(NAMES)
    figures = measured.committed()
    if options.docs:
        PAGE.write_text(filled(PAGE.read_text(), figures))
    else:
        figures |= measured.benchmarked()
    for table in tables(figures).values():
        sys.stdout.write(f"{to_markdown(table)}\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
