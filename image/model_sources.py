"""Downloads from the npm package and from MediaPipe's published address."""

import base64
import hashlib
import http.client
import posixpath
import re
import shutil
import subprocess
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from model_files import Progress, SourceError, TemporaryError, megabytes, read_bounded, say
from model_manifest import NpmPackage, Source

CONNECTION_TIMEOUT_SECONDS = 30  # to connect, and between two chunks
RETRY_WAITS_SECONDS = (1.0, 3.0)
NPM_TIMEOUT_SECONDS = 900  # 52 MB at half a megabit a second
# By default npm tries an unreachable registry for 70 s; with these options for 1.4 s.
NPM_OPTIONS = (
    "--ignore-scripts",
    "--loglevel=error",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=2000",
)
LOOPBACK = ("localhost", "127.0.0.1", "::1")
TOO_MANY_REQUESTS = 429
SERVER_ERRORS = range(500, 600)


@dataclass
class Tarball:
    """The npm package's tarball, downloaded on first use."""

    package: NpmPackage
    folder: Path
    environment: Mapping[str, str] | None = None  # npm's; by default this process's

    @cached_property
    def path(self) -> Path:
        """The tarball, once its checksum is verified."""
        return pack(self.package, self.folder, self.environment)

    def read(self, source: Source) -> bytes:
        """Read one member. Nothing is extracted: no name in the archive becomes a path."""
        try:
            with tarfile.open(self.path, "r:gz") as archive:
                fitting = (m for m in archive if m.name == source.member and m.isreg())
                member = next(fitting, None)
                content = archive.extractfile(member) if member else None
                if content:
                    return b"".join(read_bounded(content, source.limit_bytes))
        except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
            raise SourceError(f"the tarball cannot be read: {error}") from error
        raise SourceError(f"the tarball has no regular file {source.member}")


def pack(package: NpmPackage, folder: Path, environment: Mapping[str, str] | None = None) -> Path:
    """Have npm download the tarball into an empty folder, and verify its checksum."""
    npm = shutil.which("npm", path=environment["PATH"] if environment else None)
    if npm is None:
        raise SourceError("there is no npm on PATH")
    say(f"npm pack {package.spec} ({megabytes(package.size)})\n")
    run_npm([npm, "pack", package.spec, *NPM_OPTIONS], folder, environment)
    path = next(folder.glob("*.tgz"), None)
    if path is None:
        raise SourceError("npm pack left no tarball")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    found = f"sha512-{base64.b64encode(digest).decode()}"
    if found != package.integrity:
        raise SourceError(f"wrong checksum of the tarball: {found} instead of {package.integrity}")
    return path


def run_npm(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> None:
    """Run npm. Its errors go to a file: an orphaned child could keep a pipe open."""
    complaints = folder / "npm.stderr"
    try:
        with complaints.open("wb") as file:
            status = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                timeout=NPM_TIMEOUT_SECONDS,
                check=False,
            ).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceError(str(error)) from error
    if status:
        reason = npm_reason(complaints.read_text(encoding="utf-8", errors="replace"))
        raise SourceError(f"npm ended with status {status}: {reason}")


def npm_reason(complaints: str) -> str:
    """Find the readable line in npm's errors (`npm ERR!` before npm 10)."""
    sentence = re.search(
        r"^npm (?:error|ERR!) (?!code|errno|syscall|type)(.+)$", complaints, re.MULTILINE
    )
    return sentence[1] if sentence else complaints.strip() or "no message"


def is_safe(address: str) -> bool:
    """Whether it is HTTPS, or HTTP on this machine."""
    parts = urllib.parse.urlsplit(address)
    local = parts.scheme == "http" and parts.hostname in LOOPBACK
    return local or (parts.scheme == "https" and bool(parts.hostname))


def download(address: str, source: Source) -> bytes:
    """Download a file; retries after temporary errors."""
    for wait_seconds in RETRY_WAITS_SECONDS:
        try:
            return download_once(address, source)
        except TemporaryError as error:
            say(f"{address}: {error}; again in {wait_seconds:g} s\n")
            time.sleep(wait_seconds)
    return download_once(address, source)


def download_once(address: str, source: Source) -> bytes:
    """Download a file in one request."""
    request = urllib.request.Request(address)  # noqa: S310, is_safe() has seen the base address
    try:
        with urllib.request.urlopen(request, timeout=CONNECTION_TIMEOUT_SECONDS) as response:  # noqa: S310, same
            if not is_safe(response.url):
                raise SourceError(f"it redirects to {response.url}, which is not HTTPS")
            return read_body(response, source)
    except urllib.error.HTTPError as error:
        error.close()
        temporary = error.code == TOO_MANY_REQUESTS or error.code in SERVER_ERRORS
        raise (TemporaryError if temporary else SourceError)(f"HTTP {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        raise TemporaryError(str(getattr(error, "reason", error))) from error


def read_body(response: http.client.HTTPResponse, source: Source) -> bytes:
    """Read a response; a wrong Content-Length is an error before anything is read."""
    announced = response.length
    if announced is not None and source.size not in (None, announced):
        raise SourceError(f"the answer has {announced} bytes instead of {source.size}")
    expected_bytes = announced or source.limit_bytes
    progress, content = Progress(posixpath.basename(response.url), expected_bytes), bytearray()
    try:
        for chunk in read_bounded(response, source.limit_bytes):
            content += chunk
            progress.show(len(content))
    finally:
        progress.end()
    if len(content) < (announced or source.size or 0):
        raise TemporaryError(f"the answer ended after {len(content)} of {expected_bytes} bytes")
    return bytes(content)
