"""The app whose items the tests of SODAR Core set."""
