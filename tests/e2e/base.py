"""A base image that stands in for AWS's, for machines that reach no registry of images.

Debian's or Ubuntu's Python by `debootstrap`, and on it what AWS's base has: the runtime
interface client and emulator, the entry point, the folders and their variables. Built once
and kept; its tag is a hash of what it is made of.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from docker_cli import DockerError, docker
from tests.e2e.engine import kept_folder
from tests.e2e.sam import EMULATOR, RUNTIME_PACKAGES, locked

_THIS_FILE = Path(__file__)
_STANDIN = _THIS_FILE.with_name("standin")

# By distribution, the release whose Python the worker runs on: 3.11 and 3.12.
_SUITES = {"debian": "bookworm", "ubuntu": "noble"}
_PACKAGES = "python3,python3-pip,ca-certificates"
# Where programs on this machine find the authorities that they trust.
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")

_BOOTSTRAP_SECONDS = 600
_BUILD_SECONDS = 600


class NoBaseError(Exception):
    """Raised when there is no base image to build on; says why and what helps."""


def base_image() -> str:
    """The image to build on: what BASE_IMAGE names, else the stand-in, built if need be.

    Raises:
        NoBaseError: it cannot be built here.
    """
    if configured := os.environ.get("BASE_IMAGE"):
        return configured
    with tempfile.TemporaryDirectory(prefix="standin-", dir=kept_folder()) as folder:
        context = Path(folder)
        _fill(context)
        tag = f"landmark-standin:{_digest(*context.iterdir(), _THIS_FILE)}"
        if not _exists(tag):
            root = _root_image()
            docker(
                *("build", f"--build-arg=ROOT_IMAGE={root}", f"--tag={tag}", folder),
                timeout_seconds=_BUILD_SECONDS,
            )
    return tag


def _fill(context: Path) -> None:
    """Put together what the stand-in's Dockerfile copies."""
    shutil.copytree(_STANDIN, context, dirs_exist_ok=True)
    shutil.copy(EMULATOR, context / "aws-lambda-rie")
    (context / "requirements.txt").write_text(locked(*RUNTIME_PACKAGES), encoding="utf-8")
    if _AUTHORITIES.exists():
        shutil.copy(_AUTHORITIES, context / "authorities.crt")
    else:
        (context / "authorities.crt").touch()


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _exists(tag: str) -> bool:
    try:
        docker("image", "inspect", tag)
    except DockerError:
        return False
    return True


def _root_image() -> str:
    """The distribution alone, by `debootstrap`; a minute and a half."""
    suite, mirror = _suite_and_mirror()
    tag = f"landmark-standin-root:{suite}-{_digest(_THIS_FILE)}"
    if _exists(tag):
        return tag
    if shutil.which("debootstrap") is None:
        raise NoBaseError(_no_base("there is no debootstrap: `apt-get install debootstrap`"))
    if os.geteuid() != 0:
        raise NoBaseError(_no_base("only root can run debootstrap"))
    with tempfile.TemporaryDirectory(prefix="root-", dir=kept_folder()) as folder:
        command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}"]
        try:
            done = subprocess.run(
                [*command, suite, folder, mirror],
                capture_output=True,
                text=True,
                timeout=_BOOTSTRAP_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NoBaseError(_no_base(f"debootstrap of {suite} takes too long")) from None
        if done.returncode:
            last = (done.stdout + done.stderr).strip().splitlines()[-1:]
            raise NoBaseError(_no_base(f"debootstrap of {suite} failed: {''.join(last)}"))
        _import(Path(folder), tag)
    return tag


def _import(folder: Path, tag: str) -> None:
    folder.chmod(0o755)  # it becomes the image's root folder, for every user
    shutil.rmtree(folder / "var/cache/apt/archives")
    shutil.rmtree(folder / "var/lib/apt/lists")
    with subprocess.Popen(
        ["tar", "--directory", str(folder), "--create", "."], stdout=subprocess.PIPE
    ) as tar:
        subprocess.run(["docker", "import", "-", tag], stdin=tar.stdout, check=True, timeout=300)


def _suite_and_mirror() -> tuple[str, str]:
    """The release to take, and where this machine's own packages come from."""
    release = Path("/etc/os-release")
    facts = release.read_text(encoding="utf-8") if release.exists() else ""
    names = re.findall(r'^ID(?:_LIKE)?="?([^"\n]*)', facts, re.MULTILINE)
    name = next((word for word in " ".join(names).split() if word in _SUITES), None)
    if name is None or shutil.which("apt-get") is None:
        raise NoBaseError(_no_base("this machine is no Debian and no Ubuntu"))
    # What apt would fetch to know its packages; it fetches nothing.
    done = subprocess.run(
        ["apt-get", "update", "--print-uris"], capture_output=True, text=True, check=False
    )
    releases = re.findall(r"^'(\S+)/dists/([a-z]+)/InRelease'", done.stdout, re.MULTILINE)
    for mirror, codename in releases:
        if codename == _codename(facts):
            return _SUITES[name], mirror
    raise NoBaseError(_no_base("apt's sources name no mirror of this machine's own release"))


def _codename(facts: str) -> str:
    found = re.search(r"^VERSION_CODENAME=(\w+)", facts, re.MULTILINE)
    return found[1] if found else ""


def _no_base(reason: str) -> str:
    return f"no stand-in for AWS's base image, for {reason} (or name one: BASE_IMAGE=…)"
