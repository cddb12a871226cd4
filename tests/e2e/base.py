"""A stand-in for AWS's base image, for machines that reach no image registry.

Debian's Python by `debootstrap`, with what AWS's base adds: the runtime interface client and
emulator, the entry point, folders and variables. It is built once; its tag is a hash of its
content.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from build_image import default_base
from docker_cli import DockerError, docker
from tests.e2e.engine import kept_folder
from tests.e2e.sam import RUNTIME_PACKAGES, emulator, locked

_THIS_FILE = Path(__file__)
_STANDIN = _THIS_FILE.with_name("standin")
_DEBIAN = _THIS_FILE.with_name("debian.Dockerfile")

_SUITE = "bookworm"  # its Python is 3.11
_PACKAGES = "python3,python3-pip,ca-certificates"
# Debian's and Docker's name of a processor.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# This machine's trusted certificate authorities.
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")

_BOOTSTRAP_SECONDS = 600
_BUILD_SECONDS = 600


# What helps against this and `NoEngineError`.
REMEDY = (
    "What helps: on Debian, as root: apt-get install docker.io debootstrap; where images can be "
    f"pulled, a Docker engine and: make e2e BASE_IMAGE={default_base()}"
)


class NoBaseError(Exception):
    """Raised when there is no base image; the message says why."""


def base_image(machine: str = os.uname().machine) -> str:
    """BASE_IMAGE, or the stand-in, built if necessary.

    Args:
        machine: the kernel's name of a processor, which this machine has or emulates.

    Raises:
        NoBaseError: it cannot be built here.
    """
    if configured := os.environ.get("BASE_IMAGE"):
        return configured
    with tempfile.TemporaryDirectory(prefix="standin-", dir=kept_folder()) as folder:
        context = Path(folder)
        _fill(context, machine)
        return _built("landmark-standin", context, _ARCHITECTURES[machine])


def debian_image() -> str | None:
    """A stand-in for Docker Hub's Debian, built if necessary; None if BASE_IMAGE is set.

    If it is set, images can be pulled.

    Raises:
        NoBaseError: it cannot be built here.
    """
    if os.environ.get("BASE_IMAGE"):
        return None
    with tempfile.TemporaryDirectory(prefix="debian-", dir=kept_folder()) as folder:
        context = Path(folder)
        shutil.copy(_DEBIAN, context / "Dockerfile")
        _add_authorities(context)
        return _built("landmark-debian", context, _ARCHITECTURES[os.uname().machine])


def _built(name: str, context: Path, architecture: str) -> str:
    """Build the image on Debian, unless there is one of the same content; returns its tag."""
    tag = f"{name}-{architecture}:{_digest(*context.iterdir(), _THIS_FILE)}"
    if not _exists(tag):
        root = _root_image(architecture)
        docker(
            *("build", f"--platform=linux/{architecture}"),
            *(f"--build-arg=ROOT_IMAGE={root}", f"--tag={tag}", str(context)),
            timeout_seconds=_BUILD_SECONDS,
        )
    return tag


def _fill(context: Path, machine: str) -> None:
    """Collect the files that the stand-in's Dockerfile copies."""
    shutil.copytree(_STANDIN, context, dirs_exist_ok=True)
    shutil.copy(emulator(machine), context / "aws-lambda-rie")
    (context / "requirements.txt").write_text(locked(*RUNTIME_PACKAGES), encoding="utf-8")
    _add_authorities(context)


def _add_authorities(context: Path) -> None:
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


def _root_image(architecture: str) -> str:
    """Debian by `debootstrap`, which takes 90 seconds."""
    tag = f"landmark-standin-root:{_SUITE}-{architecture}-{_digest(_THIS_FILE)}"
    if _exists(tag):
        return tag
    mirror, is_foreign = _mirror(), architecture != _ARCHITECTURES[os.uname().machine]
    if shutil.which("debootstrap") is None:
        raise NoBaseError(_no_base("there is no debootstrap"))
    if os.geteuid() != 0:
        raise NoBaseError(_no_base("only root can run debootstrap"))
    with tempfile.TemporaryDirectory(prefix="root-", dir=kept_folder()) as folder:
        command = [
            *("debootstrap", f"--arch={architecture}"),
            *("--variant=minbase", f"--include={_PACKAGES}"),
            *(["--foreign"] if is_foreign else []),
        ]
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
        if is_foreign:
            _unpack(Path(folder))
        _import(Path(folder), tag, architecture)
    return tag


def _unpack(folder: Path) -> None:
    """Unpack the packages that `debootstrap --foreign` has downloaded.

    Configuring them would take minutes on an emulated processor. Of what that does, only the users
    are needed.
    """
    for package in sorted((folder / "var/cache/apt/archives").glob("*.deb")):
        with subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE
        ) as content:
            subprocess.run(
                ["tar", "--directory", str(folder), "--extract", "--keep-directory-symlink"],
                stdin=content.stdout,
                check=True,
                timeout=_BOOTSTRAP_SECONDS,
            )
    for name in ("passwd", "group"):
        shutil.copy(folder / f"usr/share/base-passwd/{name}.master", folder / "etc" / name)
    shutil.rmtree(folder / "debootstrap")


def _import(folder: Path, tag: str, architecture: str) -> None:
    """Make an image of a folder.

    `docker import` could, but Docker 20.10 takes every image for one of this machine's
    architecture.
    """
    folder.chmod(0o755)  # the image's root folder, for every user
    shutil.rmtree(folder / "var/cache/apt/archives")
    shutil.rmtree(folder / "var/lib/apt/lists")
    with tempfile.TemporaryDirectory(prefix="image-", dir=kept_folder()) as name:
        parts = Path(name)
        _tar(folder, parts / "layer.tar")
        with (parts / "layer.tar").open("rb") as layer:
            digest = hashlib.file_digest(layer, "sha256").hexdigest()
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
        manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
        (parts / "config.json").write_text(json.dumps(config), encoding="utf-8")
        (parts / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        with tempfile.NamedTemporaryFile(dir=kept_folder()) as archive:
            _tar(parts, Path(archive.name))
            docker("load", f"--input={archive.name}", timeout_seconds=_BUILD_SECONDS)


def _tar(folder: Path, archive: Path) -> None:
    command = ["tar", "--directory", str(folder), "--create", "--file", str(archive), "."]
    subprocess.run(command, check=True, timeout=_BUILD_SECONDS)


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
    return f"no stand-in for AWS's base image: {reason}"
