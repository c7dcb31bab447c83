"""`manage.py add_demo_staff`: somebody who may open the panel and the admin of the demo."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

NAME = PASSWORD = "staff"  # noqa: S105 - the demo says it to everybody


class Command(BaseCommand):
    help = "Add a superuser with a known password, only while debugging."

    def handle(self, *args, **options):
        if not settings.DEBUG:
            raise CommandError("Its password is known: this needs DJANGO_DEBUG=1.")
        user, _ = get_user_model().objects.get_or_create(username=NAME)
        user.is_staff = user.is_superuser = user.is_active = True
        user.set_password(PASSWORD)
        user.save()
        self.stdout.write(f"user {NAME}, password {PASSWORD}")
