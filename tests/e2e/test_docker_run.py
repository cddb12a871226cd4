"""The image outside of Lambda: `docker run` with the emulator, and the poller."""

import time

from docker_cli import Container, DockerError
from emulator import Emulator
from lambda_like import LIMITS, gateway, worker
from tests.fakes import Cloud, person

_DRAIN_SECONDS = 60


def wait_until_empty(cloud: Cloud) -> None:
    """Wait until the queue is empty."""
    deadline = time.monotonic() + _DRAIN_SECONDS
    while cloud.queued():
        assert time.monotonic() < deadline, "the queue is not empty"
        time.sleep(0.1)


def received(cloud: Cloud) -> set[str]:
    """The ids of all messages that can be received."""
    ids: set[str] = set()
    while (
        messages := cloud.clients["sqs"]
        .receive_message(QueueUrl=cloud.stack.queue_url, MaxNumberOfMessages=10)
        .get("Messages")
    ):
        ids |= {message["MessageId"] for message in messages}
    return ids


def complaint(container: Container) -> str | None:
    """The output of the failing health check; None while it succeeds."""
    check = ("python3", "-m", "worker.poller", "--check-health", "--health-file", "/tmp/health")  # noqa: S108, its own
    try:
        container.execute(*check)
    except DockerError as error:
        return str(error)
    return None


def test_docker_run_as_in_the_blog(images: dict[int, str], module_cloud: Cloud) -> None:
    """`docker run -p …:8080` answers POSTs at Lambda's path: a photograph, or a clear 400."""
    module_cloud.put("blog.jpg", person())
    publish = ("--publish=127.0.0.1::8080",)
    with (
        worker(
            images[2],
            environment={**module_cloud.stack.environment, "QUEUE_URL": ""},
            network="bridge",
            options=publish,
        ) as container,
        gateway(images[2], network=f"container:{container.name}"),
    ):
        published = Emulator(container.address_of(8080))

        answer = published.first_answer({"bucket": module_cloud.stack.bucket, "key": "blog.jpg"})
        nothing = published.invoke({})

    assert answer["statusCode"] == 200
    assert nothing == {"statusCode": 400, "body": {"message": "key: missing", "data": None}}


def test_poller_drains_a_queue_and_stops(images: dict[int, str], module_cloud: Cloud) -> None:
    """`python3 -m worker.poller` in the same image empties a queue, and ends on SIGTERM."""
    for number in range(3):
        module_cloud.put(f"polled-{number}.jpg", person())
        module_cloud.send({"key": f"polled-{number}.jpg"})
    command = ("-m", "worker.poller", "--wait-seconds", "1")
    with (
        gateway(images[2]) as door,
        worker(
            images[2],
            *command,
            environment=module_cloud.stack.environment,
            network=door.network,
            options=(*LIMITS, "--entrypoint=python3"),
        ) as container,
    ):
        wait_until_empty(module_cloud)
        status = container.stop()
        log = container.logs()

    assert status == 0
    assert '"stopped"' in log
    assert "detector said" not in log
    statuses = module_cloud.statuses()
    assert {statuses[f"polled-{number}.jpg"] for number in range(3)} == {"detected"}


def test_stopping_the_container_loses_nothing(images: dict[int, str], module_cloud: Cloud) -> None:
    """`docker stop` during work ends it with 0 and returns the rest to the queue."""
    keys = {f"drained-{number}.jpg" for number in range(60)}
    for key in keys:
        module_cloud.put(key, person())
    command = ("-m", "worker.poller", "--wait-seconds", "1", "--health-file", "/tmp/health")  # noqa: S108, the container's own
    with (
        gateway(images[2]) as door,
        worker(
            images[2],
            *command,
            environment=module_cloud.stack.environment,
            network=door.network,
            options=(*LIMITS, "--entrypoint=python3"),
        ) as container,
    ):
        deadline = time.monotonic() + _DRAIN_SECONDS
        while said := complaint(container):
            assert time.monotonic() < deadline, said
        module_cloud.send(*({"key": key} for key in keys))
        while not keys & module_cloud.statuses().keys():
            assert time.monotonic() < deadline, "no photograph is processed"
        status = container.stop(grace_seconds=30)
        log = container.logs()

    done = keys & module_cloud.statuses().keys()
    assert status == 0
    assert '"stopped"' in log
    assert 0 < len(done) < len(keys)
    assert module_cloud.queued() == len(keys) - len(done)
    assert len(received(module_cloud)) == len(keys) - len(done)
