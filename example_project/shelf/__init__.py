"""The shelf: one row for each distribution, and a report that is slow to make."""
