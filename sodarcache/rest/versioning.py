"""The media type and version of the API, which are SODAR Core's."""

from rest_framework.renderers import JSONRenderer
from rest_framework.versioning import AcceptHeaderVersioning

MEDIA_TYPE = "application/vnd.bihealth.sodar-core.sodarcache+json"
DEFAULT_VERSION = "1.0"
ALLOWED_VERSIONS = ["1.0"]


class SodarcacheRenderer(JSONRenderer):
    """JSON under the API's own media type."""

    media_type = MEDIA_TYPE


class SodarcacheVersioning(AcceptHeaderVersioning):
    """The version is a parameter of the media type in ``Accept``."""

    allowed_versions = ALLOWED_VERSIONS
    default_version = DEFAULT_VERSION
    version_param = "version"
