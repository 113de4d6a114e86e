#!/bin/sh
# Installs what a folder's lock file pins outside this tree, once for each lock file, and
# prints where a file of it is: npm.sh FOLDER NAME FILE [where]. With "where" it only prints.
# Nothing of npm's install scripts is run.
set -eu
cd "$1"
root="${REKEY_CLIENTS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/rekey-clients}"
dir="$root/$2-$(cat package.json package-lock.json | cksum | tr ' ' -)"
if [ "${4:-}" != where ] && [ ! -e "$dir/$3" ]; then
	command -v npm >/dev/null || { echo "npm.sh: npm is missing: install Node.js 20 or later" >&2; exit 1; }
	mkdir -p "$root"
	new=$(mktemp -d "$root/new.XXXXXX")
	trap 'rm -rf "$new"' EXIT
	cp package.json package-lock.json "$new"
	(cd "$new" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline >&2)
	rm -rf "$dir"
	mv "$new" "$dir" # whole or not at all
fi
echo "$dir/$3"
