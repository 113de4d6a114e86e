#!/bin/sh
# Builds the control plane of Kubernetes for the tests, once for each machine, and prints
# where it lies: REKEY_KUBERNETES=$(servers/kubernetes/build.sh). The first time takes a
# quarter of an hour on two free processors (and three quarters on busy ones) and a
# gigabyte of memory; then go's build cache has it, and it takes seconds.
set -eu
cd "$(dirname "$0")"
out="${XDG_CACHE_HOME:-$HOME/.cache}/rekey-servers/kubernetes-$(go list -m -f '{{.Version}}' k8s.io/kubernetes)"
mkdir -p "$(dirname "$out")"
# One package at a time and behind everything else: nobody waits for it.
CGO_ENABLED=0 nice -n 19 go build -p 1 -ldflags '-s -w' -o "$out" . >&2
printf '%s\n' "$out"
