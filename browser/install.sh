#!/bin/sh
# Installs the pinned axe-core outside this tree, once for each lock file, and prints
# where its script is; `install.sh where` only prints. Nothing of npm's install scripts
# is run.
set -eu
cd "$(dirname "$0")"
root="${REKEY_CLIENTS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/rekey-clients}"
dir="$root/axe-$(cat package.json package-lock.json | cksum | tr ' ' -)"
script="$dir/node_modules/axe-core/axe.min.js"
if [ "${1:-}" != where ] && [ ! -e "$script" ]; then
	command -v npm >/dev/null || { echo "install.sh: npm is missing: install Node.js 20 or later" >&2; exit 1; }
	mkdir -p "$root"
	new=$(mktemp -d "$root/new.XXXXXX")
	trap 'rm -rf "$new"' EXIT
	cp package.json package-lock.json "$new"
	(cd "$new" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline >&2)
	rm -rf "$dir"
	mv "$new" "$dir" # whole or not at all
fi
echo "$script"
