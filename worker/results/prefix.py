"""The directory that an object lies in, as the table's index by directory has it."""


def prefix_of(bucket: str, key: str) -> str:
    """Bucket and directory with a slash behind each: `b/photos/2026/` of `photos/2026/a.jpg`.

    What keys begin with up to their last slash, and nothing else: to S3 `//` and `..` are names
    like any other. No bucket's name has a slash, so none is taken for a directory of another.
    It has up to 63 + 1 + 1,024 bytes, of the 2,048 that DynamoDB allows.
    """
    return f"{bucket}/{key[: key.rfind('/') + 1]}"
