"""What can be wrong with the demo before anything of it has been started."""

import os
from typing import Final

from worker.model import require_model
from worker.settings import Settings

# The demo's own business, whatever the environment says; empty ones count as not set.
_REPLACED: Final = {
    "RESULTS_TABLE": "demo",
    "IMAGE_BUCKET": "",
    "QUEUE_URL": "",
    "DEAD_LETTER_QUEUE_URL": "",
}


def checked_settings() -> Settings:
    """The worker's settings as it will read them, but for the names of its services.

    Raises:
        SettingsError: the environment is wrong, or the model is not installed.
    """
    settings = Settings.from_environment({**os.environ, **_REPLACED})
    require_model(settings.model)
    return settings
