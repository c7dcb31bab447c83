"""What the metadata of real and of odd distributions come to."""

import sys

import pytest

from example_project.shelf import installed
from tests.example.made_up import MadeUp


@pytest.mark.parametrize("name", ["zope.interface", "Zope_Interface", "ZOPE--interface"])
def test_names_that_the_index_takes_for_one_have_one_key(name: str) -> None:
    """Case and separators make no difference to a key."""
    assert installed.normalise(name) == "zope-interface"


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        (["License-Expression: MIT", "License: old"], "MIT"),
        (["License: BSD"], "BSD"),
        (["Classifier: License :: OSI Approved :: MIT License"], "MIT License"),
        (["License: UNKNOWN", "Classifier: License :: OSI Approved :: X"], "X"),
        (["License: A long text\n        of many lines", "Classifier: License :: A :: Y"], "Y"),
        (["License: A long text\n        of many lines"], "A long text"),
        (["Classifier: License :: OSI Approved"], ""),
        ([], ""),
    ],
)
def test_the_licence_is_found_wherever_it_is_stated(
    made_up: MadeUp, fields: list[str], licence: str
) -> None:
    """The expression wins over a short License field, and that over classifiers and a long text."""
    assert installed.licence(made_up.install("thing", {}, fields)) == licence


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        (["Home-page: https://a.example/"], "https://a.example/"),
        (
            ["Project-URL: Docs, https://d.example", "Project-URL: Homepage, http://h.example"],
            "http://h.example",
        ),
        (["Home-page: javascript:alert(1)"], ""),
        (["Home-page: UNKNOWN"], ""),
        (["Home-page: http://[broken"], ""),
    ],
)
def test_only_a_web_address_is_a_home_page(
    made_up: MadeUp, fields: list[str], address: str
) -> None:
    """What is not http or https is never linked."""
    assert installed.home_page(made_up.install("thing", {}, fields)) == address


def test_requirements_are_taken_apart(made_up: MadeUp) -> None:
    """Name, versions and condition are told apart, and a line that is none is passed over."""
    lines = [
        "Requires-Dist: Zope.Interface (>=5) ; python_version < '3.12'",
        "Requires-Dist: argon2[x]>=1; extra == 'argon2'",
        "Requires-Dist: !!!",
    ]
    first, second = installed.requirements(made_up.install("thing", {}, lines))
    assert (first.target, first.specifier, first.optional) == ("zope-interface", "(>=5)", False)
    assert first.marker == "python_version < '3.12'"
    assert (second.target, second.specifier, second.optional) == ("argon2", "[x]>=1", True)


@pytest.mark.parametrize(
    ("direct_url", "editable"),
    [
        ('{"dir_info": {"editable": true}}', True),
        ('{"dir_info": {}}', False),
        ("[1", False),
        ("", False),
    ],
)
def test_an_editable_installation_is_told(made_up: MadeUp, direct_url: str, editable: bool) -> None:
    """PEP 610's file decides, and a broken one is no error."""
    assert installed.is_editable(made_up.install("thing", {}, direct_url=direct_url)) is editable


def test_broken_and_double_distributions_are_passed_over(made_up: MadeUp) -> None:
    """Bad or unreadable metadata hide no other distribution; of two copies one counts."""
    made_up.install("good", {})
    for broken, content in {
        "a": None,
        "b": b"Version: 1\n",
        "c": b"Name: \xff\xfe\n",
        "d": b"Name: a b/c\n",
    }.items():
        folder = made_up.folder / f"{broken}-1.dist-info"
        folder.mkdir()
        if content is not None:
            (folder / "METADATA").write_bytes(content)
    (made_up.folder / "GOOD-2.dist-info").mkdir()
    (made_up.folder / "GOOD-2.dist-info" / "METADATA").write_text("Name: GOOD\nVersion: 2\n")
    names = [
        installed.name_of(each).lower() for each in installed.distributions([str(made_up.folder)])
    ]
    assert names == ["good"]


def test_every_distribution_of_this_environment_can_be_described() -> None:
    """Nothing that is really installed here breaks the reading of metadata."""
    for each in installed.distributions(sys.path):
        installed.licence(each), installed.home_page(each), installed.requirements(each)
        assert installed.name_of(each)
