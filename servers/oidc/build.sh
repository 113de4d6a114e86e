#!/bin/sh
# Builds a real OpenID provider outside this tree, once for each go.sum, and prints
# where it is; `build.sh where` only prints. The test of internal/access finds it there,
# or where REKEY_OIDC_SERVER says. With an empty build cache it takes a minute.
export jobs="${REKEY_SERVERS_JOBS:-2}"
exec sh "$(dirname "$0")/../build.sh" oidc 3.52.0 REKEY_OIDC_SERVER "$@"
