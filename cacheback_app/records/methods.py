"""How a remote API is asked."""

from enum import Enum


class RequestMethod(Enum):
    """The HTTP methods of an endpoint."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"

    @property
    def changes(self) -> bool:
        """Whether the server's data may be other data after such a request."""
        return self is not RequestMethod.GET
