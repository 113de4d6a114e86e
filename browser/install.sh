#!/bin/sh
# Installs the pinned axe-core outside this tree, once for each lock file, and prints
# where its script is; `install.sh where` only prints.
exec sh "$(dirname "$0")/../clients/npm.sh" "$(dirname "$0")" axe node_modules/axe-core/axe.min.js "$@"
