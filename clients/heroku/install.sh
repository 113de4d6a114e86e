#!/bin/sh
# Installs the pinned Heroku CLI outside this tree, once for each lock file, and
# prints where it is; `install.sh where` only prints. Nothing of npm's install
# scripts is run: the CLI needs none.
exec sh "$(dirname "$0")/../npm.sh" "$(dirname "$0")" heroku node_modules/heroku/bin/run.js "$@"
