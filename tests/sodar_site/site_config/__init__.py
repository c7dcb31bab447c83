"""A small SODAR Core site, with what the tests of sodarcache need and no more."""
