"""What `manage.py fill_shelf` knows of the installed distributions without reading their files."""

import uuid

from django.db import models
from django.urls import reverse


class Distribution(models.Model):
    """One installed distribution; `key` is its normalised name, as the package index has it."""

    key = models.CharField(max_length=200, unique=True)
    name = models.CharField(max_length=200)
    version = models.CharField(max_length=100)
    summary = models.CharField(max_length=500, blank=True)
    licence = models.CharField(max_length=120, blank=True)
    home_page = models.URLField(max_length=500, blank=True)
    requires_python = models.CharField(max_length=100, blank=True)
    editable = models.BooleanField(default=False)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def get_absolute_url(self) -> str:
        return reverse("shelf:distribution", args=[self.key])


class Requirement(models.Model):
    """One line of a distribution's requirements; `target` is the key of what it asks for."""

    distribution = models.ForeignKey(
        Distribution, on_delete=models.CASCADE, related_name="requirements"
    )
    target = models.CharField(max_length=200, db_index=True)
    specifier = models.CharField(max_length=500, blank=True)
    marker = models.CharField(max_length=500, blank=True)
    optional = models.BooleanField(default=False)

    class Meta:
        ordering = ["optional", "target", "id"]

    def __str__(self) -> str:
        return f"{self.target}{self.specifier}"
