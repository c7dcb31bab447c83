"""An authentication backend as a site would write it."""

from typing import Any

GET, SET = "sodarcache.get_cache_value", "sodarcache.set_cache_value"
ROLES = {"reader": {GET}, "writer": {GET, SET}}


class RoleBackend:
    """Lets people called "reader" and "writer" at the project "Towers" alone."""

    def authenticate(self, request: Any, **credentials: Any) -> None:
        return None

    def has_perm(self, user: Any, perm: str, obj: Any = None) -> bool:
        return getattr(obj, "title", None) == "Towers" and perm in ROLES.get(user.username, ())
