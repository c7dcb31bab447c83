"""A small library, with a field of every kind that is hard to store."""

import uuid

from django.db import models


class Genre(models.Model):
    slug = models.SlugField(primary_key=True)

    def __str__(self) -> str:
        return self.slug


class Author(models.Model):
    name = models.CharField(max_length=100)
    email = models.EmailField(blank=True)
    born = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Translator(Author):
    """A child table of Author."""

    languages = models.JSONField(default=list)


class Book(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=200)
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")
    translator = models.ForeignKey(
        Translator, models.SET_NULL, null=True, blank=True, related_name="translated"
    )
    genres = models.ManyToManyField(Genre, blank=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    pages = models.PositiveIntegerField(db_column="page_count", default=0)
    in_print = models.BooleanField(default=True)
    published = models.DateTimeField(null=True, blank=True)
    reading_time = models.DurationField(null=True, blank=True)
    rating = models.FloatField(null=True, blank=True)
    details = models.JSONField(default=dict, blank=True)
    cover = models.FileField(upload_to="covers", blank=True)
    thumbnail = models.BinaryField(default=b"", editable=True)

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title


class Novel(Book):
    """A proxy of Book."""

    class Meta:
        proxy = True
