#!/usr/bin/env bash
# Install (on Debian, as root) and start the services that the tests use, where they are missing.
# A service that answers at its standard port is left as it is.
set -euo pipefail

updated=

answers() { # port
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

fresh= # whether the last "install" had to
install() { # binary package
    fresh=
    if command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ]; then
        return
    fi
    if [ -z "$updated" ]; then
        apt-get update -qq
        updated=yes
    fi
    echo "installing $2"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
    fresh=yes
}

await() { # name port
    for _ in $(seq 120); do
        if answers "$2"; then
            echo "$1 answers on port $2"
            return
        fi
        sleep 0.5
    done
    echo "$1 does not answer on port $2" >&2
    exit 1
}

redis() {
    # The binary too, for the tests run servers of their own.
    install redis-server redis-server
    answers 6379 || redis-server --daemonize yes --bind 127.0.0.1 --port 6379 --save "" \
        --appendonly no --dir /tmp >/dev/null
    await Redis 6379
}

memcached_() {
    answers 11211 || install memcached memcached
    answers 11211 || memcached -d -u nobody -l 127.0.0.1 -p 11211
    await memcached 11211
}

postgres() {
    answers 5432 || install pg_ctlcluster postgresql
    local version
    version=$(ls /etc/postgresql 2>/dev/null | sort -V | tail -n 1 || true)
    if [ -n "$fresh" ]; then # the tests connect as the superuser, from this machine only
        sed -i -E 's/^(host\s+all\s+all\s+(127\.0\.0\.1\/32|::1\/128)\s+)\S+$/\1trust/' \
            "/etc/postgresql/$version/main/pg_hba.conf"
        answers 5432 && pg_ctlcluster --skip-systemctl-redirect "$version" main reload
    fi
    answers 5432 || pg_ctlcluster --skip-systemctl-redirect "$version" main start
    await PostgreSQL 5432
}

mariadb() {
    answers 3306 || install mariadbd mariadb-server
    if ! answers 3306; then
        mkdir -p /run/mysqld
        chown mysql:mysql /run/mysqld
        start-stop-daemon --start --oknodo --background --exec /usr/sbin/mariadbd
    fi
    await MariaDB 3306
    if [ -n "$fresh" ]; then # at first root gets in by the socket alone; the tests use TCP
        command mariadb --user=root --execute \
            "ALTER USER root@localhost IDENTIFIED VIA mysql_native_password USING PASSWORD('')"
    fi
}

rabbitmq() {
    answers 5672 || install rabbitmq-server rabbitmq-server
    answers 5672 || rabbitmq-server -detached
    await RabbitMQ 5672
}

dynalite_() {
    # Not a service: a program that the tests start, as a second opinion beside moto.
    if ! command -v dynalite >/dev/null; then
        command -v npm >/dev/null || install npm npm
        echo "installing dynalite"
        npm install --global --silent --no-audit --no-fund dynalite@4 >/dev/null
    fi
    echo "dynalite is installed"
}

chromium_() {
    # Programs, too: the tests look at the panel in a browser.
    install chromium chromium
    install chromedriver chromium-driver
    echo "chromium is installed"
}

for service in redis memcached_ postgres mariadb rabbitmq dynalite_ chromium_; do
    fresh=
    "$service"
done
