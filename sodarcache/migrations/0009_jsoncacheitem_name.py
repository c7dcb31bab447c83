from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("sodarcache", "0008_jsoncacheitem_revision")]

    operations = [
        migrations.AlterModelOptions(
            name="jsoncacheitem", options={"verbose_name": "JSON cache item"}
        ),
    ]
