"""What goes wrong, as one line for people."""

import click
import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)
from pynamodb.exceptions import ScanError

from landmarks.cli.advice import one_line_errors
from landmarks.cli.enqueue.entries import OrderError
from landmarks.errors import AccessDeniedError, SettingsError


def refused(
    code: str, operation: str = "ReceiveMessage", message: str = "no\nnever"
) -> ClientError:
    """What boto3 raises for an answer with this code."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refused("AccessDenied"), "may not ReceiveMessage"),
        (
            refused("AccessDeniedException", "Scan"),
            "may not Scan: attach the stack's OperatorPolicy",
        ),
        (refused("AccessDenied", "PutObject"), "may not PutObject: allow s3:PutObject"),
        (refused("ExpiredToken"), "log in again"),
        (refused("InvalidClientTokenId"), "get-caller-identity"),
        (refused("QueueDoesNotExist"), "QueueUrl"),
        (refused("OverLimit"), "OverLimit"),
        (
            refused("500", "StartMessageMoveTask", "<html>" * 99),
            "--one-by-one does without it: 500",
        ),
        (refused("UnsupportedOperation", "StartMessageMoveTask"), "UnsupportedOperation"),
        (NoCredentialsError(), "AWS_PROFILE"),
        (NoRegionError(), "AWS_DEFAULT_REGION"),
        (refused("NoSuchKey", "GetObject"), "no such object"),
        (OSError(28, "No space left on device"), "No space left"),
        (PermissionError(13, "Permission denied", "run.json"), "run.json: Permission denied"),
        (ModuleNotFoundError("no moto", name="moto"), "pip install 'landmark-worker["),
        (ModuleNotFoundError("no pyarrow", name="pyarrow"), "landmark-worker[parquet]"),
        (SettingsError("MODEL_COMPLEXITY='3' is not allowed"), "MODEL_COMPLEXITY='3'"),
        (EndpointConnectionError(endpoint_url="http://nowhere"), "AWS_ENDPOINT_URL"),
        (ScanError("no", refused("ResourceNotFoundException", "Scan")), "RESULTS_TABLE"),
        (ScanError("out of order"), "out of order"),
    ],
)
def test_each_error_is_one_line(error: Exception, words: str) -> None:
    """It says what is wrong or what to do, and nothing of it breaks the line."""
    with pytest.raises(click.ClickException) as raised, one_line_errors():
        raise error

    assert words in raised.value.message
    assert len(raised.value.message.splitlines()) == 1


def test_an_object_that_may_not_be_read_is_named() -> None:
    """What we say of it stays, and what to do about it is added, as where S3 itself says it."""
    with pytest.raises(click.ClickException) as raised, one_line_errors():
        raise AccessDeniedError("S3 refuses 'a.jpg'") from refused("AccessDenied", "GetObject")

    assert raised.value.message.startswith("S3 refuses 'a.jpg': attach the stack's OperatorPolicy")


def test_an_order_that_makes_no_sense_is_wrong_usage() -> None:
    """What no service was asked about has the status of a wrong call."""
    with pytest.raises(click.ClickException) as raised, one_line_errors():
        raise OrderError("photos: expected s3://bucket")

    assert raised.value.exit_code == 2


def test_ctrl_c_at_a_question_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Click makes one exception of both; the status tells them apart."""

    def interrupted(_prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("click.termui.visible_prompt_func", interrupted)

    with pytest.raises(SystemExit) as ended, one_line_errors():
        click.confirm("Delete all?", abort=True)

    assert ended.value.code == 130


def test_a_mistake_of_ours_is_not_dressed_up() -> None:
    """What nobody can do anything about keeps its traceback."""
    with pytest.raises(ZeroDivisionError), one_line_errors():
        raise ZeroDivisionError
