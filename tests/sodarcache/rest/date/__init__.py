"""An app whose name is also a word in the URLs."""
