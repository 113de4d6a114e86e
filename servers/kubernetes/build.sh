#!/bin/sh
# Builds the control plane of Kubernetes outside this tree, once for each go.sum, and
# prints where it is; `build.sh where` only prints. The tests of
# internal/provider/kubernetes run it where REKEY_KUBERNETES_SERVER names it, and want
# etcd besides (Debian: etcd-server). With an empty build cache it compiles some 2,400
# packages: ten minutes of one processor, 134 MB in the end.
set -eu
cd "$(dirname "$0")"
program="${REKEY_KUBERNETES_SERVER:-${XDG_CACHE_HOME:-$HOME/.cache}/rekey/servers/kubernetes-1.37.2}"
made="$program.of"
of=$(cat main.go go.mod go.sum | cksum | tr ' ' -)
if [ "${1:-}" != where ] && { [ ! -x "$program" ] || [ "$(cat "$made" 2>/dev/null)" != "$of" ]; }; then
	mkdir -p "$(dirname "$program")"
	new=$(mktemp "$program.XXXXXX")
	trap 'rm -f "$new"' EXIT
	CGO_ENABLED=0 nice -n 19 go build -ldflags='-s -w' -o "$new" .
	chmod 755 "$new"
	mv "$new" "$program" # whole or not at all
	echo "$of" >"$made"
fi
echo "$program"
