#!/bin/sh
# Make what `docker compose up -d` needs and nobody else should choose: secrets, and .env with what this
# machine has. What exists already is never changed. Usage: docker/setup.sh [folder of the secrets]
set -eu
cd "$(dirname "$0")/.."
folder=${1:-docker/secrets}

# The folder is closed; the files in it are readable for everybody, because a container's user has another
# number than ours and reads them through a mount of the single file.
umask 077
mkdir -p "$folder"
for name in database_password redis_password secret_key admin_password demo_password \
    hub_service_token hub_proxy_token hub_culler_token; do
    [ -s "$folder/$name" ] && continue
    bytes=32
    case $name in admin_password | demo_password) bytes=9 ;; esac
    secret=$(od -An -N"$bytes" -tx1 /dev/urandom | tr -d ' \n')
    [ ${#secret} -eq $((bytes * 2)) ] || { echo "could not read /dev/urandom" >&2; exit 1; }
    printf '%s\n' "$secret" >"$folder/.$name"
    chmod 0444 "$folder/.$name"
    mv "$folder/.$name" "$folder/$name"
    echo "made $folder/$name"
done

[ $# -eq 0 ] || exit 0
if [ -e .env ]; then
    echo ".env is there: left as it is"
    exit 0
fi
profile=cpu
if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; then profile=gpu; fi
socket=${DOCKER_SOCKET:-/var/run/docker.sock}
group=$(stat -L -c %g "$socket" 2>/dev/null || stat -L -f %g "$socket" 2>/dev/null || true)
{
    echo "# Made by docker/setup.sh for this machine; docs/deployment.md lists what else may stand here."
    echo "COMPOSE_PROFILES=$profile"
    echo "DOCKER_GID=${group:-999}"
} >.env
chmod 0644 .env
echo "made .env: profile $profile, container engine's group ${group:-999}"
[ -n "$group" ] || echo "$socket was not found: set DOCKER_GID in .env to the number of the group that owns it"
