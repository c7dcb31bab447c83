"""The pages of the items. They may be included only after the shelf's addresses."""

from django.urls import path

from example_project.inventory import views

app_name = "inventory"
urlpatterns = [
    path("", views.index, name="index"),
    path("<name:name>/", views.items, name="items"),
]
