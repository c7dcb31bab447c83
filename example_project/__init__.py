"""The example site: the Python distributions installed here, on a shelf."""
