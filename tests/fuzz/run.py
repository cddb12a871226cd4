"""Fuzz messages and images in parallel."""

import argparse
import hashlib
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from itertools import chain, count, cycle
from pathlib import Path
from typing import NamedTuple

from tests import photos
from tests.fuzz import images, messages
from tests.pictures import mutants
from worker.detector.pool import DetectorPool

FOUND = Path("build/fuzz")
_IMAGES_A_ROUND = 500
_MESSAGES_A_ROUND = 10_000

# Detecting several people takes many times as long.
_IMAGES_A_PEOPLE_ROUND = 100
_GROUPS_A_PEOPLE_ROUND = 50


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _keep(kind: str, content: bytes) -> Path:
    folder = FOUND / kind
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(content).hexdigest()[:16]
    path.write_bytes(content)
    return path


def fuzz_messages(seed: int, deadline: float) -> bool:
    """Try damaged messages until the deadline; returns whether all were handled."""
    texts, answers = messages.mutants(seed), Counter[str]()
    text = ""
    try:
        while time.monotonic() < deadline:
            for _ in range(_MESSAGES_A_ROUND):
                text = next(texts)
                answers[messages.judge(text)] += 1
    except Exception as error:  # noqa: BLE001, any error is a finding
        kept = _keep("messages", text.encode(errors="surrogatepass"))
        _say(f"messages: {error!r}: kept as {kept}")
        return False
    finally:
        _say(f"messages: {answers.total():,} tried: {dict(answers.most_common())}")
    return True


class _Turn(NamedTuple):
    """Who gets images in a round, and the images for a seed."""

    name: str
    pool: DetectorPool
    ask: images.Ask
    images: Callable[[int], Iterable[bytes]]


def fuzz_images(seed: int, deadline: float, max_people: int) -> bool:
    """Try damaged images until the deadline; returns whether all were handled.

    Detectors take turns with processes that only decode, which takes a fraction of the time, and
    with detectors of several people if `max_people` is more than 1.
    """
    with ExitStack() as stack:

        def start(pool: DetectorPool) -> DetectorPool:
            return stack.enter_context(closing(pool))

        turns = [
            _Turn("detectors", start(images.detectors()), images.detect, _usual),
            _Turn("decoders", start(images.decoders()), images.decode, _usual),
        ]
        if max_people > 1:
            pool = start(images.detectors(max_people))
            turns.append(_Turn(f"MAX_PEOPLE={max_people}", pool, images.detect, _with_groups))
        found = {turn.name: images.Findings() for turn in turns}
        for number, turn in zip(count(), cycle(turns)):
            if time.monotonic() >= deadline:
                break
            images.try_images(turn.pool, turn.ask, turn.images(seed + number), found[turn.name])
    verdicts = [_report(name, findings) for name, findings in found.items()]
    return all(verdicts)


def _usual(seed: int) -> Iterable[bytes]:
    return mutants(seed, _IMAGES_A_ROUND)


def _with_groups(seed: int) -> Iterable[bytes]:
    groups = (photos.group().content, photos.crowd(columns=4, rows=3).content)
    return chain(
        mutants(seed, _IMAGES_A_PEOPLE_ROUND), mutants(seed, _GROUPS_A_PEOPLE_ROUND, groups)
    )


def _report(name: str, findings: images.Findings) -> bool:
    late = findings.slowest_seconds > images.TIMEOUT_SECONDS
    _say(f"{name}: {findings.answers.total():,} tried: {dict(findings.answers.most_common())}")
    _say(
        f"{name}: slowest answer {findings.slowest_seconds:.2f} s, peak address space "
        f"{findings.peak_bytes >> 20} of {images.MEMORY_BYTES >> 20} MiB, "
        f"killed {len(findings.culprits)}"
    )
    for content in findings.culprits:
        _say(f"{name}: kept {_keep('images', content)}")
    return not (late or findings.culprits or findings.peak_bytes > images.MEMORY_BYTES)


def main() -> int:
    """Run both; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))  # noqa: S311, chance
    parser.add_argument("--max-people", type=int, default=1)
    options = parser.parse_args()
    _say(f"fuzzing for {options.seconds:g} s with --seed {options.seed}")
    deadline = time.monotonic() + options.seconds
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as beside:
        messages_well = beside.submit(fuzz_messages, options.seed, deadline)
        images_well = fuzz_images(options.seed, deadline, options.max_people)
        return 0 if images_well and messages_well.result() else 1
