"""SQS's messages → the records of Lambda's event."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_RECEIPT: Final = "receiptHandle"


class Record(dict[str, Any]):
    """A message as Lambda's event has it, which tells when its receipt is taken.

    A receipt is good for one thing, to change the message's visibility: from when the
    handler takes it, nobody else may.
    """

    def __init__(
        self, message: "MessageTypeDef", arn: str, on_taken: Callable[[str], None]
    ) -> None:
        """Translate a message of the queue `arn`; `on_taken` gets the receipt."""
        super().__init__(_fields(message, arn))
        self._on_taken = on_taken

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401, as every JSON's
        """A field."""
        value = super().__getitem__(name)
        if name == _RECEIPT:
            self._on_taken(value)
        return value


def _fields(message: "MessageTypeDef", arn: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        _RECEIPT: message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: _attribute(attribute)
            for name, attribute in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }


def _attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    """A message attribute as Lambda's event, which is JSON, has it."""
    return {
        name[0].lower() + name[1:]: b64encode(value).decode() if name == "BinaryValue" else value
        for name, value in attribute.items()
    }
