"""The REST API with projectroles' roles, permissions and tokens."""

import json
from typing import Any
from uuid import uuid4

from django.urls import reverse
from projectroles.plugins import PluginAPI
from projectroles.tests.base import ProjectAPIPermissionTestBase

from sodarcache.models import JSONCacheItem
from sodarcache.views_api import SODARCACHE_API_DEFAULT_VERSION, SODARCACHE_API_MEDIA_TYPE

APP = "example_project_app"


class TestRoles(ProjectAPIPermissionTestBase):
    """What SODAR Core's own tests do not know: lists, bulk sets, deletes and conditions."""

    media_type = SODARCACHE_API_MEDIA_TYPE
    api_version = SODARCACHE_API_DEFAULT_VERSION

    def setUp(self) -> None:
        """Sort the users by what they may do."""
        super().setUp()
        self.api = PluginAPI.get_backend_api("sodar_cache")
        self.writers = [
            self.superuser,
            self.user_owner_cat,
            self.user_delegate_cat,
            self.user_contributor_cat,
            self.user_owner,
            self.user_delegate,
            self.user_contributor,
        ]
        self.guests = [self.user_guest_cat, self.user_guest]
        self.others = [
            self.user_viewer_cat,
            self.user_finder_cat,
            self.user_viewer,
            self.user_no_roles,
        ]

    def url(self, kind: str, project: Any = None, name: str | None = None) -> str:
        """Return the address of an item, or of the project's items."""
        kwargs = {"project": getattr(project or self.project, "sodar_uuid", project)}
        if name is not None:
            kwargs |= {"app_name": APP, "item_name": name}
        return reverse(f"sodarcache:api_{kind}", kwargs=kwargs)

    def store(self, name: str = "a/b", data: Any = 1) -> JSONCacheItem:
        """Set an item of the project."""
        return self.api.set_cache_item(APP, name, data=data, project=self.project)

    def test_lists(self) -> None:
        """REST: who may get values may list them."""
        url = self.url("list")
        self.assert_response_api(url, [*self.writers, *self.guests], 200, knox=True)
        self.assert_response_api(url, self.others, 403)
        self.assert_response_api(url, self.anonymous, 401)

    def test_bulk_sets(self) -> None:
        """REST: who may set values may set many."""
        url = self.url("set_bulk")
        body = {"items": [{"app_name": APP, "name": "x", "data": [1]}]}
        options = {"method": "POST", "data": body}
        self.assert_response_api(url, [*self.guests, *self.others], 403, **options)
        self.assert_response_api(url, self.anonymous, 401, **options)
        assert not JSONCacheItem.objects.exists()
        self.assert_response_api(url, self.writers, 200, **options)
        assert JSONCacheItem.objects.get().data == [1]

    def test_deletes(self) -> None:
        """REST: who may set values may delete them; slashes in names included."""
        url = self.url("delete", name="a/b")
        self.store()
        for users, status in (([*self.guests, *self.others], 403), (self.anonymous, 401)):
            self.assert_response_api(url, users, status, method="DELETE")
        for user in self.writers:
            self.store()
            self.assert_response_api(url, user, 204, method="DELETE")

    def test_categories_have_no_items(self) -> None:
        """REST: as in the original, a category is refused and an unknown project is 404."""
        for kind in ("retrieve", "retrieve_date"):
            url = self.url(kind, self.category, "a")
            self.assert_response_api(url, self.superuser, 403)
            self.assert_response_api(self.url(kind, uuid4(), "a"), self.superuser, 404)

    def test_conditions(self) -> None:
        """REST: ETag, 304 and 412 here too, with a token."""
        self.store()
        client = self.client
        token = self.get_token(self.user_contributor)
        login = self.get_token_header(token)
        read = client.get(self.url("retrieve", name="a/b"), **login)
        known = {"HTTP_IF_NONE_MATCH": read["ETag"]}
        assert client.get(self.url("retrieve", name="a/b"), **login, **known).status_code == 304
        url = self.url("set", name="a/b")
        for status in (200, 412):
            answer = client.post(
                url, {"data": 2}, format="json", HTTP_IF_MATCH=read["ETag"], **login
            )
            assert answer.status_code == status

    def test_what_is_not_json_is_400(self) -> None:
        """P5: missing data, NaN, NUL and an unknown app."""
        login = self.get_token_header(self.get_token(self.user_owner))
        url = self.url("set", name="a")
        for body in ("{}", '{"data": NaN}', json.dumps({"data": "\0"}), "[" * 100_000):
            answer = self.client.post(url, body, content_type="application/json", **login)
            assert (answer.status_code, "detail" in answer.json()) == (400, True)
        assert not JSONCacheItem.objects.exists()
