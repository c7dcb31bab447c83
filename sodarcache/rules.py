"""Found by django-rules where the site has it: see ``Host.add_permission_rules``."""

from .host import get_host

get_host().add_permission_rules()
