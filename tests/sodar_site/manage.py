#!/usr/bin/env python
"""The site's commands: ``manage.py test``; ``SODARCACHE=original`` chooses the original."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    sys.path.insert(1, str(HERE.parents[1]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_config.settings")

    import chosen

    chosen.choose(original=os.environ.get("SODARCACHE") == "original")

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
