"""A site with the API, and clients of it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from tests.sodarcache.rest import site_settings
from tests.sodarcache.support import APP


class Client(APIClient):
    """Speaks of items by project, app and name."""

    def address(self, kind: str, project: Any, name: str = "towers/height", app: str = APP) -> str:
        """Return where the item is ``retrieve``d, ``set`` or ``delete``d."""
        return f"/cache/api/{kind}/{getattr(project, 'sodar_uuid', project)}/{app}/{name}"

    def read(self, project: Any, name: str = "towers/height", **headers: str) -> Any:
        """Retrieve an item."""
        return self.get(self.address("retrieve", project, name), headers=headers)

    def store(self, project: Any, data: Any, name: str = "towers/height", **headers: str) -> Any:
        """Set an item."""
        url = self.address("set", project, name)
        return self.post(url, {"data": data}, format="json", headers=headers)

    def remove(self, project: Any, name: str = "towers/height", **headers: str) -> Any:
        """Delete an item."""
        return self.delete(self.address("delete", project, name), headers=headers)


@pytest.fixture(autouse=True)
def site(settings: Any) -> Any:
    """The settings of the site."""
    names = ("ROOT_URLCONF", "SODARCACHE_ENABLED_BACKEND_PLUGINS", "AUTHENTICATION_BACKENDS")
    for name in (*names, "PASSWORD_HASHERS"):
        setattr(settings, name, getattr(site_settings, name))
    return settings


@pytest.fixture
def client_of(database: str) -> Callable[[str], Client]:
    """Makes the client of somebody; a "superuser" may do anything."""

    def client_of(username: str) -> Client:
        client = Client(raise_request_exception=True)
        if username != "nobody":
            is_superuser = username == "superuser"
            user, _ = get_user_model().objects.get_or_create(
                username=username, is_superuser=is_superuser
            )
            client.force_authenticate(user)
        return client

    return client_of


@pytest.fixture
def writer(client_of: Callable[[str], Client]) -> Client:
    """A client that may read and set the items of the project "Towers"."""
    return client_of("writer")
