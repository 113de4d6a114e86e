#!/bin/sh
# Builds the control plane of Kubernetes outside this tree, once for each go.sum, and
# prints where it is; `build.sh where` only prints. The tests of
# internal/provider/kubernetes run it where REKEY_KUBERNETES_SERVER names it, and want
# etcd besides (Debian: etcd-server). With an empty build cache it compiles some 2,400
# packages: ten minutes of one processor, 134 MB in the end.
export jobs=
exec sh "$(dirname "$0")/../build.sh" kubernetes 1.37.2 REKEY_KUBERNETES_SERVER "$@"
