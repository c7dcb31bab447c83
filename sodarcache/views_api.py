"""The views under the names that SODAR Core has for them."""

from .rest.versioning import (
    ALLOWED_VERSIONS as SODARCACHE_API_ALLOWED_VERSIONS,
)
from .rest.versioning import (
    DEFAULT_VERSION as SODARCACHE_API_DEFAULT_VERSION,
)
from .rest.versioning import (
    MEDIA_TYPE as SODARCACHE_API_MEDIA_TYPE,
)
from .rest.views import (
    CacheItemDateRetrieveAPIView,
    CacheItemDeleteAPIView,
    CacheItemListAPIView,
    CacheItemRetrieveAPIView,
    CacheItemSetAPIView,
    CacheItemSetBulkAPIView,
)

__all__ = [
    "SODARCACHE_API_ALLOWED_VERSIONS",
    "SODARCACHE_API_DEFAULT_VERSION",
    "SODARCACHE_API_MEDIA_TYPE",
    "CacheItemDateRetrieveAPIView",
    "CacheItemDeleteAPIView",
    "CacheItemListAPIView",
    "CacheItemRetrieveAPIView",
    "CacheItemSetAPIView",
    "CacheItemSetBulkAPIView",
]
