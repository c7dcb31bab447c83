"""Project-scoped JSON items in the database."""
