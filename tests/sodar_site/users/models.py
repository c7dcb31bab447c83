"""The user model."""

from projectroles.models import SODARUser


class User(SODARUser):
    """SODAR Core's user as it is."""
