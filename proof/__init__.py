"""The contract put to the proof: a model check, chaos, soak and fuzz. Not part of the package."""

import logging
import os


def set_up() -> None:
    """Make Django ready in this process."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "proof.settings"
    django.setup()
    logging.getLogger("cacheback").addHandler(logging.NullHandler())
    logging.getLogger("cacheback").propagate = False
