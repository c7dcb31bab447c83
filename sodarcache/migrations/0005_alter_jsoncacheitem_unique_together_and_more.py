"""The unique constraint under a name of its own; the last migration of SODAR Core 1.4's."""

from django.db import migrations, models

from sodarcache.host import get_host


class Migration(migrations.Migration):
    dependencies = [
        ("sodarcache", "0001_squashed_0004_update_jsonfield"),
        *get_host().migration_dependencies("0005"),
    ]

    operations = [
        migrations.AlterUniqueTogether(name="jsoncacheitem", unique_together=set()),
        migrations.AddConstraint(
            model_name="jsoncacheitem",
            constraint=models.UniqueConstraint(
                fields=("project", "app_name", "name"), name="unique_project_app_name_cache"
            ),
        ),
    ]
