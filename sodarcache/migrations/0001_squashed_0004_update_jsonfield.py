"""The tables; inside of SODAR Core, where the original's are, this is applied already."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from sodarcache.host import get_host

PROJECT = migrations.CreateModel(
    name="Project",
    fields=[
        (
            "id",
            models.AutoField(
                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
            ),
        ),
        ("title", models.CharField(max_length=255)),
        ("sodar_uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
    ],
    options={"ordering": ["title"], "swappable": "SODARCACHE_PROJECT_MODEL"},
)


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("sodarcache", "0001_initial"),
        ("sodarcache", "0002_make_user_optional"),
        ("sodarcache", "0003_add_index"),
        ("sodarcache", "0004_update_jsonfield"),
    ]

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        *get_host().migration_dependencies("0001"),
    ]

    operations = [
        *([PROJECT] if get_host().defines_project else ()),
        migrations.CreateModel(
            name="JSONCacheItem",
            fields=[
                (
                    "id",
                    models.AutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("app_name", models.CharField(help_text="App that set the item", max_length=255)),
                (
                    "name",
                    models.CharField(
                        help_text="Name of the item, chosen by its app", max_length=255
                    ),
                ),
                (
                    "date_modified",
                    models.DateTimeField(auto_now_add=True, help_text="When the item was last set"),
                ),
                (
                    "sodar_uuid",
                    models.UUIDField(default=uuid.uuid4, help_text="UUID of the item", unique=True),
                ),
                ("data", models.JSONField(default=dict, help_text="The value")),
                (
                    "project",
                    models.ForeignKey(
                        blank=True,
                        help_text="Project to which the item belongs",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="cached_items",
                        to=get_host().project_model,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        help_text="User who last set the item",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(
                        fields=["project", "app_name", "name"],
                        name="sodarcache__project_e54b84_idx",
                    )
                ],
                "unique_together": {("project", "app_name", "name")},
            },
        ),
    ]
