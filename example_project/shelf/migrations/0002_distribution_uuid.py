"""A UUID for each distribution, by which the project cache names it in addresses and commands."""

import uuid
from typing import Any

from django.db import migrations, models


def give_uuids(apps: Any, schema_editor: Any) -> None:
    distributions = list(apps.get_model("shelf", "Distribution").objects.all())
    for distribution in distributions:
        distribution.uuid = uuid.uuid4()
    apps.get_model("shelf", "Distribution").objects.bulk_update(distributions, ["uuid"], 500)


class Migration(migrations.Migration):
    dependencies = [("shelf", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="distribution",
            name="uuid",
            field=models.UUIDField(default=uuid.uuid4, editable=False, null=True),
        ),
        migrations.RunPython(give_uuids, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="distribution",
            name="uuid",
            field=models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
        ),
    ]
