"""What type checkers make of the public names: mypy reads this package, nothing runs it."""
