from django.db import migrations

import sodarcache.fields


class Migration(migrations.Migration):
    dependencies = [("sodarcache", "0007_one_writer_per_item")]

    operations = [
        migrations.AddField(
            model_name="jsoncacheitem",
            name="revision",
            field=sodarcache.fields.RevisionField(
                help_text="Another one for each state of the item"
            ),
        ),
    ]
