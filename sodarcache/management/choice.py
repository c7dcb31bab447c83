"""What the options of both commands name."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management.base import CommandError

from sodarcache.host import get_host
from sodarcache.plugins import BACKEND_NAME, get_backend_api


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``-p`` and ``-a``."""
    parser.add_argument("-p", "--project", metavar="UUID", help="only this project")
    parser.add_argument("-a", "--app", metavar="APP", help="only this app")


def chosen_api() -> Any:
    """Return the API.

    :raises CommandError: when the backend is not enabled.
    """
    api = get_backend_api(BACKEND_NAME)
    if api is None:
        raise CommandError(f"The backend plugin {BACKEND_NAME!r} is not enabled")
    return api


def chosen_project(uuid: str | None) -> Any:
    """Return the project with that UUID; None for None.

    :raises CommandError: when there is none, or when it is no UUID.
    """
    if uuid is None:
        return None
    host = get_host()
    model = host.project_class()
    try:
        return model._default_manager.get(**{host.project_uuid_field: uuid})
    except (ValidationError, ValueError) as exc:
        raise CommandError(f"Not a UUID: {uuid}") from exc
    except ObjectDoesNotExist as exc:
        raise CommandError(f"No project has the UUID {uuid}") from exc


def chosen_app(api: Any, name: str | None) -> str | None:
    """Return ``name``.

    :raises CommandError: when no app has it.
    """
    try:
        if name is not None:
            api.check_app_name(name)
    except ValueError as exc:
        raise CommandError(str(exc)) from exc
    return name
