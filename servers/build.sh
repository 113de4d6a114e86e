#!/bin/sh
# Builds the real server of a folder beside this file outside this tree, once for each
# go.sum, and prints where it is: build.sh FOLDER VERSION VARIABLE [where]. The variable
# names another place; with "where" it only prints. The folders' own build.sh call it.
set -eu
cd "$(dirname "$0")/$1"
eval "program=\${$3:-}"
[ -n "$program" ] || program="${XDG_CACHE_HOME:-$HOME/.cache}/rekey/servers/$1-$2"
made="$program.of"
of=$(cat main.go go.mod go.sum | cksum | tr ' ' -)
if [ "${4:-}" != where ] && { [ ! -x "$program" ] || [ "$(cat "$made" 2>/dev/null)" != "$of" ]; }; then
	mkdir -p "$(dirname "$program")"
	new=$(mktemp "$program.XXXXXX")
	trap 'rm -f "$new"' EXIT
	# shellcheck disable=SC2086 # how many at once, or as many as Go takes
	CGO_ENABLED=0 nice -n 19 go build ${jobs:+-p $jobs} -ldflags='-s -w' -o "$new" .
	chmod 755 "$new"
	mv "$new" "$program" # whole or not at all
	echo "$of" >"$made"
fi
echo "$program"
