"""What `make release` builds, and the files of GitHub and pre-commit that repeat the Makefile."""

import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from packaging.metadata import Metadata
from packaging.specifiers import SpecifierSet
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the sdist like that of a release."""
    folder = tmp_path_factory.mktemp("release")
    uv = Path(sys.executable).with_name("uv")
    options = ("--no-build-isolation", "--python", sys.executable, "--out-dir", folder)
    subprocess.run([uv, "build", "--quiet", "--offline", *options, ROOT], check=True)
    assert len(list(folder.glob("*.tar.gz"))) == 1
    (file,) = folder.glob("*.whl")
    return zipfile.ZipFile(file)


def test_a_wheel_has_every_file_of_both_packages(wheel: zipfile.ZipFile) -> None:
    """Not only the modules. Types of the page's script are for the linter."""
    there = {
        path.relative_to(ROOT).as_posix()
        for package in ("landmarks", "worker")
        for path in (ROOT / package).rglob("*.*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith(".d.ts")
    }
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert packed == there


def test_metadata_is_valid_and_the_projects(wheel: zipfile.ZipFile) -> None:
    """Name, version, extras and the page for an index."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    content = wheel.read(name)
    metadata = Metadata.from_email(content, validate=True)

    assert (metadata.name, str(metadata.version)) == (PROJECT["name"], PROJECT["version"])
    assert set(metadata.provides_extra or ()) == set(PROJECT["optional-dependencies"])
    assert BytesParser().parsebytes(content)["Description-Content-Type"] == "text/markdown"


def test_a_release_needs_a_section_in_the_changelog(tmp_path: Path) -> None:
    """Without one, `make release` stops before it builds."""
    (tmp_path / "pyproject.toml").write_text('version = "7.8.9"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 7.8.8\n")
    ready = ("-o", ".venv/.environment", "-o", ".venv-release/.environment")
    for folder in (".venv", ".venv-release"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / ".environment").touch()
    (tmp_path / "requirements-dev.txt").touch()
    (tmp_path / "requirements-release.txt").touch()

    ran = subprocess.run(
        ["make", "--file", ROOT / "Makefile", *ready, "release"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )

    assert ran.returncode
    assert "CHANGELOG.md has no section 7.8.9" in ran.stderr


def workflow() -> Mapping[str, Any]:
    """The only workflow."""
    (file,) = (ROOT / ".github" / "workflows").iterdir()
    found: Mapping[str, Any] = yaml_parse(file.read_text("utf-8"))
    return found


def test_the_workflow_runs_what_a_contributor_runs() -> None:
    """Every target exists, on every Python that the project supports."""
    (job,) = workflow()["jobs"].values()
    commands = " ".join(step.get("run", "") for step in job["steps"])
    targets = re.findall(r"make ([a-z0-9-]+)", commands)
    supported = SpecifierSet(PROJECT["requires-python"])

    assert set(targets) >= {"check", "test", "e2e"}
    assert all(re.search(rf"^{target}:", MAKEFILE, re.MULTILINE) for target in targets)
    assert job["strategy"]["matrix"]["python"] == [
        version for version in (f"3.{minor}" for minor in range(30)) if f"{version}.0" in supported
    ]


def test_the_workflow_may_only_read_and_uses_versions() -> None:
    """No action is followed to whatever its default branch is."""
    found = workflow()
    assert found["permissions"] == {"contents": "read"}
    (job,) = found["jobs"].values()
    actions = [step["uses"] for step in job["steps"] if "uses" in step]
    assert actions
    assert all(re.search(r"@(v\d+|[0-9a-f]{40})$", action) for action in actions)


def test_hooks_run_the_linters_of_the_environment() -> None:
    """Each is a command of `make check`, so no version is pinned twice."""
    config = yaml_parse((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    (repository,) = config["repos"]
    assert repository["repo"] == "local"
    checked = MAKEFILE.replace("$(BIN)", ".venv/bin").replace(
        "$(NODE_BIN)", "lint/node_modules/.bin"
    )
    templates = re.findall(r"\S+\.yaml", MAKEFILE.split("/cfn-lint ")[1].splitlines()[0])
    assert templates
    for hook in repository["hooks"]:
        if hook["id"] == "cfn-lint":
            assert all(re.search(hook["files"], template) for template in templates)
        assert hook["language"] == "system"
        program = re.search(r"(\.venv|lint/node_modules/\.)/?bin/\w+", hook["entry"])
        assert program
        assert program[0] in checked
