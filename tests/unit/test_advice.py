"""Errors become one line of advice and an exit status."""

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
from landmarks.errors import AccessDeniedError, SettingsError


def refused(
    code: str, operation: str = "ReceiveMessage", message: str = "no\nnever"
) -> ClientError:
    """Return boto3's error for this error code."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refused("AccessDenied"), "don't allow ReceiveMessage"),
        (
            refused("AccessDeniedException", "Scan"),
            "don't allow Scan: attach the stack's OperatorPolicy",
        ),
        (refused("AccessDenied", "PutObject"), "don't allow PutObject: allow s3:PutObject"),
        (refused("ExpiredToken"), "log in again"),
        (refused("InvalidClientTokenId"), "get-caller-identity"),
        (refused("QueueDoesNotExist"), "QueueUrl"),
        (refused("OverLimit"), "OverLimit"),
        (refused("UnsupportedOperation", "StartMessageMoveTask"), "use --one-by-one"),
        (NoCredentialsError(), "AWS_PROFILE"),
        (NoRegionError(), "AWS_DEFAULT_REGION"),
        (refused("NoSuchKey", "GetObject"), "no such object"),
        (OSError(28, "No space left on device"), "No space left"),
        (PermissionError(13, "Permission denied", "run.json"), "run.json: Permission denied"),
        (ModuleNotFoundError("no moto", name="moto"), "pip install '.[worker,cli,local]'"),
        (ModuleNotFoundError("no pyarrow", name="pyarrow"), "pip install '.[parquet]'"),
        (SettingsError("MODEL_COMPLEXITY='3' is not allowed"), "MODEL_COMPLEXITY='3'"),
        (EndpointConnectionError(endpoint_url="http://nowhere"), "AWS_ENDPOINT_URL"),
        (ScanError("no", refused("ResourceNotFoundException", "Scan")), "RESULTS_TABLE"),
        (ScanError("out of order"), "out of order"),
    ],
)
def test_each_error_is_one_line(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line says what is wrong or what to do."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(click.ClickException) as raised, one_line_errors():
        raise error

    assert words in raised.value.message
    assert len(raised.value.message.splitlines()) == 1


def test_advice_is_added_to_an_error_of_ours() -> None:
    """Our own message, with the object's name, is kept and followed by the advice."""
    with pytest.raises(click.ClickException) as raised, one_line_errors():
        raise AccessDeniedError("S3 refuses 'a.jpg'") from refused("AccessDenied", "GetObject")

    assert raised.value.message.startswith("S3 refuses 'a.jpg': attach the stack's OperatorPolicy")


def test_ctrl_c_at_a_question_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Click raises Abort for Ctrl-C and for a no; their exit statuses differ."""

    def interrupted(_prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("click.termui.visible_prompt_func", interrupted)

    with pytest.raises(SystemExit) as ended, one_line_errors():
        click.confirm("Delete all?", abort=True)

    assert ended.value.code == 130


def test_a_bug_keeps_its_traceback() -> None:
    """An unexpected error is raised unchanged."""
    with pytest.raises(ZeroDivisionError), one_line_errors():
        raise ZeroDivisionError
