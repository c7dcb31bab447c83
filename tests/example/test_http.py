"""What the example site tells browsers and proxies, and the fragment on its list page."""

import pytest
from django.test import Client

from example_project.shelf import jobs
from example_project.shelf.fragments import most_wanted
from example_project.shelf.models import Distribution, Requirement
from tests.example.made_up import MadeUp

pytestmark = pytest.mark.django_db

REPORT = "/d/tiny-thing/report.json"


def test_the_report_as_json(site: MadeUp, client: Client) -> None:
    """The report is public, fresh for the job's lifetime, and 304 for who has it."""
    response = client.get(REPORT)
    assert response.json()["files"] > 0
    assert response["Cache-Control"].startswith("public, max-age=30, stale-while-revalidate=")
    again = client.get(REPORT, headers={"if-none-match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    jobs.reports.refresh("tiny-thing")
    assert client.get(REPORT, headers={"if-none-match": response["ETag"]}).status_code == 200


def test_no_such_report(site: MadeUp, client: Client) -> None:
    """A distribution that is not installed has no report."""
    assert client.get("/d/nothing/report.json").status_code == 404
    assert client.post(REPORT).status_code == 405


def test_the_fragment_on_the_list(site: MadeUp, client: Client) -> None:
    """The list page has what others ask for most, made once, and anew when the shelf changes."""
    assert b"<span>tiny-thing <b>1</b></span>" in client.get("/").content
    other = Distribution.objects.create(key="third", name="third", version="1")
    Requirement.objects.create(distribution=other, target="tiny-thing")
    assert b"<span>tiny-thing <b>1</b></span>" in client.get("/").content
    most_wanted.refresh()
    assert b"<span>tiny-thing <b>2</b></span>" in client.get("/").content
