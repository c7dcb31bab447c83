"""What an application's own tests can use."""
