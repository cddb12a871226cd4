"""What OpenCV's errors say. Lives in the child process."""

import cv2


def lacks_memory(error: cv2.error) -> bool:
    """Whether OpenCV failed because the process may not have the memory that it takes."""
    # By its text: `code` is an attribute of the class, left there by whatever error was last.
    return "Insufficient memory" in str(error) or "bad_alloc" in str(error)
