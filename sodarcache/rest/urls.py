"""The URLs of the API. Names of items may hold slashes, and are last for that reason."""

from django.urls import path

from . import views

app_name = "sodarcache"

_ITEM = "<uuid:project>/<str:app_name>/<path:item_name>"

# What follows "retrieve/" is "date" or a UUID, so that neither hides the other whatever app and
# item are called.
urlpatterns = [
    path(
        f"api/retrieve/date/{_ITEM}",
        views.CacheItemDateRetrieveAPIView.as_view(),
        name="api_retrieve_date",
    ),
    path(f"api/retrieve/{_ITEM}", views.CacheItemRetrieveAPIView.as_view(), name="api_retrieve"),
    path(f"api/set/{_ITEM}", views.CacheItemSetAPIView.as_view(), name="api_set"),
    path(f"api/delete/{_ITEM}", views.CacheItemDeleteAPIView.as_view(), name="api_delete"),
    path("api/set/<uuid:project>", views.CacheItemSetBulkAPIView.as_view(), name="api_set_bulk"),
    path("api/list/<uuid:project>", views.CacheItemListAPIView.as_view(), name="api_list"),
]
