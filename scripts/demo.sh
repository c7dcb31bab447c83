#!/usr/bin/env bash
# Serve the example site: demo.sh threads | celery. The Makefile has installed what it needs.
set -euo pipefail
cd "$(dirname "$0")/.."

export CACHEBACK_DEMO=$1
export PYTHONUNBUFFERED=1
export PORT=${PORT:-8000}
port=$PORT
python=.venv/bin/python
children=()

# Ends what was started here, the server first, and waits until it is gone.
stop() {
    local status=$? pid
    trap - EXIT INT TERM
    for pid in ${children[@]+"${children[@]}"}; do
        kill -TERM "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    exit "$status"
}
adopt() { # the newest first, as it depends on the older ones
    children=("$1" ${children[@]+"${children[@]}"})
}
trap stop EXIT
trap 'exit 0' INT TERM

answers() {
    "$python" - "$1" 2>/dev/null <<'PYTHON'
import sys, redis
redis.Redis.from_url(sys.argv[1], socket_connect_timeout=1, socket_timeout=1).ping()
PYTHON
}

find_redis() {
    local url=${REDIS_URL:-redis://127.0.0.1:6379/0}
    if answers "$url"; then
        export REDIS_URL=$url
        return
    fi
    if [ -n "${REDIS_URL:-}" ]; then
        echo "No Redis server answers at REDIS_URL ($REDIS_URL)." >&2
        exit 1
    fi
    if ! command -v redis-server >/dev/null; then
        echo "This demo needs Redis: start a server on 127.0.0.1:6379, name one in REDIS_URL, or" >&2
        echo "install redis-server (on Debian: apt-get install redis-server). Without: make demo" >&2
        exit 1
    fi
    local redis_port
    redis_port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    redis-server --bind 127.0.0.1 --port "$redis_port" --save "" --appendonly no --dir var \
        >var/redis.log 2>&1 &
    adopt $!
    export REDIS_URL=redis://127.0.0.1:$redis_port/0
    for _ in $(seq 50); do
        answers "$REDIS_URL" && return
        sleep 0.1
    done
    echo "The Redis server did not start; its log is var/redis.log." >&2
    exit 1
}

start_worker() {
    "$python" -m celery -A example_project worker --loglevel=INFO --concurrency=2 \
        >var/celery.log 2>&1 &
    worker_pid=$!
    adopt "$worker_pid"
    for _ in $(seq 300); do
        grep -q ' ready\.$' var/celery.log && return
        kill -0 "$worker_pid" 2>/dev/null || break
        sleep 0.1
    done
    echo "The Celery worker did not start:" >&2
    tail -n 20 var/celery.log >&2
    exit 1
}

mkdir -p var
if [ "$CACHEBACK_DEMO" = celery ]; then
    find_redis
fi
"$python" manage.py migrate --verbosity 0
"$python" manage.py fill_shelf
"$python" manage.py add_demo_staff >/dev/null
if [ "$CACHEBACK_DEMO" = celery ]; then
    start_worker
fi

cat <<TEXT

  The shelf: http://127.0.0.1:$port/

  Every Python distribution installed in .venv has a report that is slow to make, for each of its
  files is read from disk. Look at
    * a report's first load, which takes its time, and its second, which is instant;
    * the age beside every value, and whether it was fresh, stale or just fetched;
    * Invalidate: the old value is served at once while a background task makes the new one;
    * http://127.0.0.1:$port/catalogue/, which asks the site's own API and queries what it kept;
    * http://127.0.0.1:$port/inventory/, what the project cache has of each, with a REST API.

  The staff panel: http://127.0.0.1:$port/cacheback/ (user staff, password staff)
TEXT
if [ "$CACHEBACK_DEMO" = celery ]; then
    cat <<TEXT

  Values are kept in Redis ($REDIS_URL) and renewed by a Celery worker (process $worker_pid, log
  var/celery.log). Stop it with "kill $worker_pid": pages stay instant and tell their true age.
TEXT
fi
printf '\n  Ctrl-C ends the demo.\n\n'

"$python" manage.py runserver --noreload "127.0.0.1:$port" &
adopt $!
wait "$!"
