#!/bin/sh
# Installs the pinned Heroku CLI outside this tree, once for each lock file, and
# prints where it is; `install.sh where` only prints. Nothing of npm's install
# scripts is run: the CLI needs none.
set -eu
cd "$(dirname "$0")"
root="${REKEY_CLIENTS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/rekey-clients}"
dir="$root/heroku-$(cat package.json package-lock.json | cksum | tr ' ' -)"
program="$dir/node_modules/heroku/bin/run.js"
if [ "${1:-}" != where ] && [ ! -e "$program" ]; then
	command -v npm >/dev/null || { echo "install.sh: npm is missing: install Node.js 20 or later" >&2; exit 1; }
	mkdir -p "$root"
	new=$(mktemp -d "$root/new.XXXXXX")
	trap 'rm -rf "$new"' EXIT
	cp package.json package-lock.json "$new"
	(cd "$new" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline >&2)
	rm -rf "$dir"
	mv "$new" "$dir" # whole or not at all
fi
echo "$program"
