"""Of items of no project that share their names, keep the one that was read and written.

Nothing kept racing writers from inserting several. SODAR Core's API reads and updates the first
by primary key; its ``date_modified`` never moves, so a later date is no sign of newer data.
"""

from typing import Any

from django.db import migrations
from django.db.models import Count, Min


def delete_duplicates(apps: Any, schema_editor: Any) -> None:
    manager = apps.get_model("sodarcache", "JSONCacheItem").objects.using(
        schema_editor.connection.alias
    )
    items = manager.filter(project=None)
    groups = items.values("app_name", "name").annotate(count=Count("pk"), first=Min("pk"))
    for group in groups.filter(count__gt=1).order_by().iterator():
        twins = items.filter(app_name=group["app_name"], name=group["name"])
        twins.exclude(pk=group["first"]).delete()


class Migration(migrations.Migration):
    dependencies = [("sodarcache", "0005_alter_jsoncacheitem_unique_together_and_more")]

    operations = [migrations.RunPython(delete_duplicates, migrations.RunPython.noop)]
