#!/usr/bin/env bash
# Every check that needs no test run, all of them even when one fails. Usage: check.sh <folder of the tools>
set -uo pipefail
cd "$(dirname "$0")/.."
bin=${1:-.venv/bin}
failed=()

check() { # check <name> <command...>
    local name=$1
    shift
    echo "== $name"
    "$@" || failed+=("$name")
}

check "format" "$bin/ruff" format --check .
check "linter" "$bin/ruff" check .
check "types" "$bin/mypy"
check "documents" "$bin/python" scripts/check_docs.py

if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}"
    exit 1
fi
echo "all checks passed"
