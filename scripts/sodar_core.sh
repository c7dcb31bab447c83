#!/usr/bin/env bash
# Run SODAR Core's own tests of sodarcache, and ours of the two together, against this checkout.
#
#   scripts/sodar_core.sh                       all of them
#   scripts/sodar_core.sh suite.test_rest       some of ours
#   SODARCACHE=original scripts/sodar_core.sh sodarcache.tests
#                                               the original: proof that the tests can pass
#
# It makes the virtual environment .venv-sodar, for SODAR Core pins Django and much else, and needs
# PostgreSQL (DATABASE_URL, or postgres@127.0.0.1:5432), where it makes a database of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv-sodar
stamp=$venv/installed
if [ ! -x "$venv/bin/python" ]; then
    "${PYTHON:-python3}" -m venv "$venv"
fi
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[sodar]'
    touch "$stamp"
fi
if [ $# -eq 0 ]; then
    set -- sodarcache.tests suite
fi
exec "$venv/bin/python" tests/sodar_site/manage.py test --noinput "$@"
