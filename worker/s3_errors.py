"""What S3's errors mean for a job: the whole list, by their codes."""

from http import HTTPStatus
from typing import Final, NamedTuple, TypeAlias

from botocore.exceptions import ClientError

from landmarks.errors import (
    AccessDeniedError,
    KeyUnavailableError,
    MessageError,
    ObjectArchivedError,
    ObjectDeletedError,
    ObjectNotFoundError,
    PermanentError,
    ServiceError,
    TransientError,
)

Refusal: TypeAlias = type[PermanentError | TransientError]


class Answer(NamedTuple):
    """An answer of S3 that is not the object.

    Attributes:
        code: S3's error code.
        error: what it means for the job.
        words: the code means this only if S3's message contains these words, in lower case.
    """

    code: str
    error: Refusal
    words: str = ""


# Everything that S3 answers to GetObject instead of the object. The first row that fits counts.
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
ANSWERS: Final = (
    # Nothing will change until the object does.
    Answer("InvalidObjectState", ObjectArchivedError),
    Answer("KMS.DisabledException", KeyUnavailableError),
    Answer("KMS.IncorrectKeyException", KeyUnavailableError),
    Answer("KMS.InvalidCiphertextException", KeyUnavailableError),
    Answer("KMS.InvalidKeyUsageException", KeyUnavailableError),
    Answer("KMS.KMSInvalidStateException", KeyUnavailableError),
    Answer("KMS.NotFoundException", KeyUnavailableError),
    # S3 has no specific code for objects that need a customer-provided key.
    Answer("InvalidRequest", KeyUnavailableError, words="encryption"),
    # The job names something that can't be read. There is nothing to store a failure for.
    Answer("MethodNotAllowed", ObjectDeletedError),  # the version is a delete marker
    Answer("InvalidArgument", MessageError, words="version id"),
    Answer("InvalidAccessPoint", MessageError),
    Answer("InvalidAccessPointAliasError", MessageError),
    Answer("InvalidBucketName", MessageError),
    Answer("InvalidURI", MessageError),
    Answer("KeyTooLongError", MessageError),
    # An event can be faster than the object.
    Answer("NoSuchAccessPoint", ObjectNotFoundError),
    Answer("NoSuchBucket", ObjectNotFoundError),
    Answer("NoSuchKey", ObjectNotFoundError),
    Answer("NoSuchVersion", ObjectNotFoundError),
    # An operator can change permissions, and a new token comes by itself.
    Answer("AccessDenied", AccessDeniedError),
    Answer("AccountProblem", AccessDeniedError),
    Answer("AllAccessDisabled", AccessDeniedError),
    Answer("ExpiredToken", AccessDeniedError),
    Answer("InvalidAccessKeyId", AccessDeniedError),
    Answer("InvalidPayer", AccessDeniedError),
    Answer("InvalidSecurity", AccessDeniedError),
    Answer("InvalidSignature", AccessDeniedError),
    Answer("InvalidToken", AccessDeniedError),
    Answer("KMS.AccessDeniedException", AccessDeniedError),
    Answer("NotSignedUp", AccessDeniedError),
    Answer("SignatureDoesNotMatch", AccessDeniedError),
    Answer("TokenRefreshRequired", AccessDeniedError),
    Answer("UnauthorizedAccess", AccessDeniedError),
    # Another region: boto3 follows the redirect itself, unless it can't tell where to.
    Answer("AuthorizationHeaderMalformed", ServiceError),
    Answer("IllegalLocationConstraintException", ServiceError),
    Answer("IncorrectEndpoint", ServiceError),
    Answer("PermanentRedirect", ServiceError),
    Answer("Redirect", ServiceError),
    Answer("TemporaryRedirect", ServiceError),
    # Trouble that passes.
    Answer("InternalError", ServiceError),
    Answer("InvalidArgument", ServiceError),
    Answer("InvalidRequest", ServiceError),
    Answer("KMS.DependencyTimeoutException", ServiceError),
    Answer("KMS.KMSInternalException", ServiceError),
    Answer("KMS.KeyUnavailableException", ServiceError),
    Answer("KMS.ThrottlingException", ServiceError),
    Answer("OperationAborted", ServiceError),
    Answer("RequestExpired", ServiceError),  # a wrong clock, like RequestTimeTooSkewed
    Answer("RequestTimeout", ServiceError),
    Answer("RequestTimeTooSkewed", ServiceError),
    Answer("ServiceUnavailable", ServiceError),
    Answer("SlowDown", ServiceError),
)

# For other codes, and for answers without a body.
_ERRORS_OF_STATUS: Final[dict[int, Refusal]] = {
    HTTPStatus.UNAUTHORIZED: AccessDeniedError,
    HTTPStatus.FORBIDDEN: AccessDeniedError,
    HTTPStatus.NOT_FOUND: ObjectNotFoundError,
    HTTPStatus.METHOD_NOT_ALLOWED: ObjectDeletedError,
}

_WORDS: Final[dict[Refusal, str]] = {
    ObjectArchivedError: "{name} is archived and must be restored first",
    KeyUnavailableError: "S3 can't decrypt {name} ({code}: {message})",
    ObjectDeletedError: "{name} was deleted ({code}): restore it, or name another version",
    MessageError: "S3 rejects the request for {name} ({code}: {message})",
    ObjectNotFoundError: "S3 has no {name} ({code})",
    AccessDeniedError: "S3 denied access to {name} ({code})",
    ServiceError: "S3 answered {status} {code} for {name}",
}


def meaning(error: ClientError) -> Refusal:
    """Return what S3's answer means for the job."""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if error.response["ResponseMetadata"]["HTTPHeaders"].get("x-amz-delete-marker") == "true":
        return ObjectDeletedError
    for answer in ANSWERS:
        if answer.code == code and answer.words in message.lower():
            return answer.error
    return _ERRORS_OF_STATUS.get(status(error), ServiceError)


def refusal(error: ClientError, kind: Refusal, name: str) -> PermanentError | TransientError:
    """Return an error of this kind, in words, about the object with this name."""
    words = _WORDS[kind].format(
        name=name,
        code=error.response["Error"]["Code"],
        message=error.response["Error"].get("Message", ""),
        status=status(error),
    )
    return kind(words)


def status(error: ClientError) -> int:
    """Return the HTTP status."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"]
