#!/bin/sh
# Builds a real OpenID provider outside this tree, once for each go.sum, and prints
# where it is; `build.sh where` only prints. The test of internal/access finds it there,
# or where REKEY_OIDC_SERVER says. With an empty build cache it takes a minute.
set -eu
cd "$(dirname "$0")"
program="${REKEY_OIDC_SERVER:-${XDG_CACHE_HOME:-$HOME/.cache}/rekey/servers/oidc-3.52.0}"
made="$program.of"
of=$(cat main.go go.mod go.sum | cksum | tr ' ' -)
if [ "${1:-}" != where ] && { [ ! -x "$program" ] || [ "$(cat "$made" 2>/dev/null)" != "$of" ]; }; then
	mkdir -p "$(dirname "$program")"
	new=$(mktemp "$program.XXXXXX")
	trap 'rm -f "$new"' EXIT
	CGO_ENABLED=0 nice -n 19 go build -p "${REKEY_SERVERS_JOBS:-2}" -ldflags='-s -w' -o "$new" .
	chmod 755 "$new"
	mv "$new" "$program" # whole or not at all
	echo "$of" >"$made"
fi
echo "$program"
