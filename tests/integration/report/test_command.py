"""`landmarks report` on the command line."""

import webbrowser
from pathlib import Path
from unittest.mock import Mock

import pytest
from click.testing import CliRunner, Result

from landmarks.cli.main import landmarks
from tests.fakes import Cloud, nobody
from tests.integration.report.album import Album
from tests.integration.report.pages import Page


def run(cloud: Cloud, *arguments: str, **environment: str) -> Result:
    """Run the command with the stack's settings."""
    return CliRunner().invoke(
        landmarks, ["report", *arguments], env={**cloud.stack.environment, **environment}
    )


def test_it_writes_a_page_and_prints_its_path(cloud: Cloud, album: Album, tmp_path: Path) -> None:
    """The path goes to standard output, a summary to standard error."""
    album.add("a.png", version=album.photo("a.png", nobody()))
    album.add("gone.png")
    album.add("older.png", minutes_ago=5)
    path = tmp_path / "page.html"

    result = run(cloud, "-o", str(path), "--limit", "2", "--title", "Two of three")

    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{path}\n"
    assert "2 of 3 shown" in result.stderr
    assert "1 without a photo: 1 gone" in result.stderr
    assert Page(path).keys == ["a.png", "gone.png"]
    assert Page(path).report["title"] == "Two of three"


@pytest.mark.parametrize("opens", [True, False])
def test_it_opens_the_page(
    cloud: Cloud, album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, opens: bool
) -> None:
    """Where there is no browser, the page is written all the same."""
    album.add("a.png")
    path, browser = tmp_path / "page.html", Mock(return_value=opens)
    monkeypatch.setattr(webbrowser, "open", browser)

    result = run(cloud, "--open", "--no-photos", "-o", str(path))

    browser.assert_called_once_with(path.as_uri())
    assert result.exit_code == (0 if opens else 1)
    assert ("no browser can be opened here" in result.stderr) is not opens
    assert Page(path).keys == ["a.png"]


def test_an_address_selects(cloud: Cloud, album: Album, tmp_path: Path) -> None:
    """Only keys of that bucket with that prefix."""
    album.add("2026/a.png")
    album.add("2025/a.png")
    path = tmp_path / "page.html"

    result = run(cloud, f"s3://{cloud.stack.bucket}/2026", "--no-photos", "-o", str(path))

    assert result.exit_code == 0, result.stderr
    assert Page(path).keys == ["2026/a.png"]


def test_a_missing_table_is_one_line(cloud: Cloud, tmp_path: Path) -> None:
    """The line says what to check, and no file is left behind."""
    result = run(cloud, "--table", "no-such-table", "-o", str(tmp_path / "page.html"))

    assert result.exit_code == 1
    assert "no such table" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_one_line(cloud: Cloud, tmp_path: Path) -> None:
    """It is reported before the table is read."""
    result = run(cloud, "-o", str(tmp_path / "nowhere" / "page.html"))

    assert result.exit_code == 1
    assert "No such file or directory" in result.stderr
    assert "Reading" not in result.stderr
