"""A stand-in for AWS's base image, for machines that reach no image registry.

Debian's Python by `debootstrap`, with what AWS's base adds: the runtime interface client and
emulator, the entry point, folders and variables. It is built once; its tag is a hash of its
content.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from build_image import default_base
from docker_cli import DockerError, docker
from tests.e2e.engine import kept_folder
from tests.e2e.sam import EMULATOR, RUNTIME_PACKAGES, locked

_THIS_FILE = Path(__file__)
_STANDIN = _THIS_FILE.with_name("standin")

_SUITE = "bookworm"  # its Python is 3.11
_PACKAGES = "python3,python3-pip,ca-certificates"
# This machine's trusted certificate authorities.
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")

_BOOTSTRAP_SECONDS = 600
_BUILD_SECONDS = 600


class NoBaseError(Exception):
    """Raised when there is no base image; the message says why and what helps."""


def base_image() -> str:
    """BASE_IMAGE, or the stand-in, built if necessary.

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
    """Collect the files that the stand-in's Dockerfile copies."""
    shutil.copytree(_STANDIN, context, dirs_exist_ok=True)
    shutil.copy(EMULATOR, context / "aws-lambda-rie")
    (context / "requirements.txt").write_text(locked(*RUNTIME_PACKAGES), encoding="utf-8")
    if _AUTHORITIES.exists():
        shutil.copy(_AUTHORITIES, context / "authorities.crt")
    else:
        (context / "authorities.crt").touch()


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda file: file.name):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _exists(tag: str) -> bool:
    try:
        docker("image", "inspect", tag)
    except DockerError:
        return False
    return True


def _root_image() -> str:
    """Debian by `debootstrap`, which takes 90 seconds."""
    tag = f"landmark-standin-root:{_SUITE}-{_digest(_THIS_FILE)}"
    if _exists(tag):
        return tag
    mirror = _mirror()
    if shutil.which("debootstrap") is None:
        raise NoBaseError(_no_base("there is no debootstrap: `apt-get install debootstrap`"))
    if os.geteuid() != 0:
        raise NoBaseError(_no_base("only root can run debootstrap"))
    with tempfile.TemporaryDirectory(prefix="root-", dir=kept_folder()) as folder:
        command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}"]
        try:
            done = subprocess.run(
                [*command, _SUITE, folder, mirror],
                capture_output=True,
                text=True,
                timeout=_BOOTSTRAP_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NoBaseError(_no_base(f"debootstrap of {_SUITE} timed out")) from None
        if done.returncode:
            last = (done.stdout + done.stderr).strip().splitlines()[-1:]
            raise NoBaseError(_no_base(f"debootstrap of {_SUITE} failed: {''.join(last)}"))
        _import(Path(folder), tag)
    return tag


def _import(folder: Path, tag: str) -> None:
    folder.chmod(0o755)  # the image's root folder, for every user
    shutil.rmtree(folder / "var/cache/apt/archives")
    shutil.rmtree(folder / "var/lib/apt/lists")
    with subprocess.Popen(
        ["tar", "--directory", str(folder), "--create", "."], stdout=subprocess.PIPE
    ) as tar:
        subprocess.run(
            ["docker", "import", "-", tag],
            stdin=tar.stdout,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=_BUILD_SECONDS,
        )


def _mirror() -> str:
    """The mirror of this machine's packages; it has other releases as well."""
    release = Path("/etc/os-release")
    facts = release.read_text(encoding="utf-8") if release.exists() else ""
    codename = re.search(r"^VERSION_CODENAME=(\w+)", facts, re.MULTILINE)
    if not re.search(r"^ID=debian$", facts, re.MULTILINE) or codename is None:
        raise NoBaseError(_no_base("this machine does not run Debian"))
    # Prints what apt would download.
    done = subprocess.run(
        ["apt-get", "update", "--print-uris"], capture_output=True, text=True, check=False
    )
    found = re.search(rf"^'(\S+)/dists/{codename[1]}/InRelease'", done.stdout, re.MULTILINE)
    if found is None:
        raise NoBaseError(_no_base(f"apt's sources have no mirror of {codename[1]}"))
    return found[1]


def _no_base(reason: str) -> str:
    return (
        f"no stand-in for AWS's base image: {reason}. "
        f"Where images can be pulled: make e2e BASE_IMAGE={default_base()}"
    )
