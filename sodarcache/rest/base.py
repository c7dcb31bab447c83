"""What all views of the API share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import IntegrityError, router
from django.db.models import QuerySet
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from sodarcache.data import check_text
from sodarcache.host import get_host
from sodarcache.models import JSONCacheItem
from sodarcache.plugins import BACKEND_NAME
from sodarcache.writing import check_now

from .parsers import StrictJSONParser
from .preconditions import Validators
from .versioning import SodarcacheRenderer, SodarcacheVersioning

if TYPE_CHECKING:
    from .permissions import StandaloneProjectMixin as ProjectMixin
else:
    ProjectMixin = get_host().rest_mixin()

GET_PERMISSION = "sodarcache.get_cache_value"
SET_PERMISSION = "sodarcache.set_cache_value"
NO_ITEM = "No such item."
NO_PROJECT = "No such project."


class BackendDisabled(APIException):
    """The site has not enabled the cache."""

    status_code = 503
    default_detail = "Cache backend not enabled"
    default_code = "service_unavailable"


class SodarcacheAPIView(ProjectMixin, APIView):
    """A view of one project's items."""

    renderer_classes = [SodarcacheRenderer, JSONRenderer]
    parser_classes = [StrictJSONParser]
    versioning_class = SodarcacheVersioning
    permission_required: ClassVar[str]
    backend: Any

    @cached_property
    def project(self) -> Any:
        """The project that the URL names.

        :raises NotFound: when it is deleted since the permission check; None would be another's.
        """
        project = self.get_project()
        if project is None:
            raise NotFound(NO_PROJECT)
        return project

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check who asks; then have the backend.

        :raises BackendDisabled: when the site has not enabled it.
        """
        super().initial(request, *args, **kwargs)
        self.backend = get_host().backend_api(BACKEND_NAME)
        if self.backend is None:
            raise BackendDisabled

    @property
    def user(self) -> Any:
        """Who is to be remembered as having set an item."""
        return self.request.user if self.request.user.is_authenticated else None

    def items(self) -> QuerySet[JSONCacheItem]:
        """Return the project's items."""
        return JSONCacheItem.objects.filter(project=self.project)

    def named(self, app_name: str, item_name: str) -> QuerySet[JSONCacheItem]:
        """Return the project's item of that name, which is one at most."""
        with refused():
            self.backend.check_app_name(app_name)
            check_text(item_name, "name")
        return self.items().filter(app_name=app_name, name=item_name)

    def state(self, app_name: str, item_name: str) -> Validators:
        """Return what state an item is in, without reading its data.

        :raises NotFound: when there is no such item.
        """
        states = self.named(app_name, item_name).values_list("revision", "date_modified")
        state = states.first()
        if state is None:
            raise NotFound(NO_ITEM)
        return Validators(*state)


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """Turn what the API refuses into a 400 that says why, and a project just deleted into a 404."""
    try:
        yield
    except ValueError as exc:
        raise ParseError(str(exc)) from exc
    except IntegrityError as exc:
        raise NotFound(NO_PROJECT) from exc


@contextlib.contextmanager
def refused_write() -> Iterator[None]:
    """As :func:`refused`, of what is written, in the transaction of a request, too."""
    with refused():
        yield
        check_now(router.db_for_write(JSONCacheItem))
