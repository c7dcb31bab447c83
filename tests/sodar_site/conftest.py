"""This folder is run by scripts/sodar_core.sh in an environment of its own, not by pytest."""

collect_ignore_glob = ["*"]
