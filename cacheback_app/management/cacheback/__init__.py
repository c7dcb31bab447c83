"""What ``manage.py cacheback`` does, a module a topic."""
