"""A site under load while everything that it stands on fails, and a verdict from its journal."""
