"""What finding everyone in photos takes."""

from collections.abc import Sequence
from pathlib import Path

from bench.program import Program


class People:
    """Photos by the people in them, and the program that finds these.

    Attributes:
        some: photos with people.
        count: how many people they have together.
        prominent: photos with somebody whom MediaPipe's own detector sees.
        alone: those of them with nobody else.
    """

    def __init__(self, program: Program, photos: Sequence[Path]) -> None:
        """Decode the photos, and find everyone."""
        self._program = program
        paths = [str(path) for path in photos]
        program.ask({"keep": paths})
        answer, _ = program.ask({"everyone": paths})
        found = list(zip(paths, answer, strict=True))
        self.some = [path for path, (people, _) in found if people]
        self.count: int = sum(people for _, (people, _) in found)
        self.prominent = [path for path, (_, prominent) in found if prominent]
        self.alone = [path for path, (people, prominent) in found if prominent and people == 1]

    def cpu_ms(self, way: str, paths: Sequence[str]) -> float:
        """CPU time of all these photos together."""
        return self._program.ask({way: paths})[1].cpu_ms

    def ideal_ms(self) -> float:
        """CPU time of one detection for each photo with people, and one run for each person."""
        runs = self.cpu_ms("one", self.prominent) - self.cpu_ms("nobody", self.prominent)
        return self.cpu_ms("nobody", self.some) + self.count * runs / len(self.prominent)
