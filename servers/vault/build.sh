#!/bin/sh
# Builds the real core of Vault outside this tree, once for each go.sum, and prints
# where it is; `build.sh where` only prints. The tests of internal/provider/vault find it
# there, or where REKEY_VAULT_SERVER says. With an empty build cache it compiles some
# 1,300 packages: a quarter of an hour on one processor, and 500 MB to download.
export jobs="${REKEY_SERVERS_JOBS:-2}"
exec sh "$(dirname "$0")/../build.sh" vault 1.14.1 REKEY_VAULT_SERVER "$@"
