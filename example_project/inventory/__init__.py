"""What is in each distribution, kept in the project cache."""
