"""`landmarks local`."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import boto3
import click

from landmarks.cli.connection import LOCAL_FOLDER
from landmarks.cli.options import MAX_PEOPLE
from landmarks.cli.terminal import counted
from landmarks.local.session import environment_files, locked_folder
from landmarks.local.worker_process import WorkerProcess, checked_settings

_CHECK_SECONDS: Final = 0.5
_LOOPBACK: Final = ("127.0.0.1", "localhost")


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5000,
    show_default=True,
    metavar="PORT",
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen on. 0.0.0.0 also accepts connections from other machines.",
)
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Photos to upload instead of the samples.",
)
@MAX_PEOPLE
@click.option("--no-worker", is_flag=True, help="Only the services: the worker runs elsewhere.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    default=LOCAL_FOLDER,
    show_default=True,
    help="Folder for the files `environment` and `container.env`, and the worker's log.",
)
def local(port: int, host: str, images: Path | None, output: Path, *, no_worker: bool) -> None:
    """Run S3, SQS, DynamoDB and the worker here until Ctrl-C.

    Other commands use them with --local, if they are run in the same folder.

    Nothing is kept: each start begins with an empty queue, and with the samples, or the
    photos of --images, in the bucket landmarks-images.
    """
    # moto takes a second to import, and without the extra --help works all the same.
    from landmarks.local.stack import create_stack, embedded_services  # noqa: PLC0415

    if not no_worker:
        checked_settings()
    with ExitStack() as running:
        running.enter_context(locked_folder(output))
        clients = running.enter_context(embedded_services(host, port))
        stack = create_stack()
        count = _upload(images, output, stack.bucket)
        log = output / "worker.log"
        variables = {**clients, **stack.environment}
        if not no_worker:
            variables["WORKER_LOG"] = str(log.resolve())  # for `landmarks status`
        file = running.enter_context(environment_files(output, variables))
        process = WorkerProcess(log, stack.environment)
        worker = None if no_worker else running.enter_context(process)
        photos = f"{counted(count, 'photo')} in s3://{stack.bucket}"
        click.echo(f"{photos} at {clients['AWS_ENDPOINT_URL']}; Ctrl-C stops everything", err=True)
        for line in _description(file, log if worker else None, host):
            click.echo(line, err=True)
        while True:
            time.sleep(_CHECK_SECONDS)
            if worker:
                worker.check()


def _upload(images: Path | None, output: Path, bucket: str) -> int:
    """Upload the photos of a folder, or the samples; returns how many."""
    from landmarks.local.samples import folder_messages, sample_photos  # noqa: PLC0415, as above

    s3 = boto3.client("s3")
    if not images:
        samples = sample_photos()
        for key, content in samples.items():
            s3.put_object(Bucket=bucket, Key=key, Body=content)
        return len(samples)
    messages, _ = folder_messages(images, output=output)
    for message in messages:
        s3.upload_file(str(message.file), bucket, message.key)
    return len(messages)


def _description(environment: Path, log: Path | None, host: str) -> Iterator[str]:
    if environment.parent == LOCAL_FOLDER:
        tools = 'eval "$(landmarks env --local)"'
        yield f"in another shell: landmarks status --local; for other tools: {tools}"
    else:
        yield f"in another shell: . {environment}"
    if log:
        yield f"the worker's log: {log}"
    if host not in _LOOPBACK:
        yield f"Warning: everyone who can reach this machine can use the port at {host}, too"
