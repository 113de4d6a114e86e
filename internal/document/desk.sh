umask 077
HERE=$PWD
for dir in "${XDG_RUNTIME_DIR:-}" /dev/shm "${TMPDIR:-/tmp}"; do
  if [ -d "$dir" ] && [ -w "$dir" ]; then break; fi
done
DESK=$(mktemp -d "$dir/rekey-by-hand.XXXXXX") && mkdir "$DESK/was" "$DESK/new" "$DESK/wrong" @dirs@
echo "the working folder is $DESK"

stop() { printf 'STOP: %s\n' "$*" >&2; exit 1; }

put() { # FILE REFERENCE...: the first that is set, into a file of the working folder; nothing is shown
  local file=$1 ref where value
  shift
  for ref in "$@"; do
    where=${ref#*:} value=
    case $ref in
      env:*) value=$(printenv "$where") || true ;;
      file:*) value=$(cd "$HERE" && if [ -e "$where" ]; then cat "$where"; fi) || stop "$where cannot be read" ;;
      cmd:*) value=$(cd "$HERE" && sh -c "$where") || stop "the command for $file failed" ;;
      text:*) value=$where ;;
      *) read -rsp "$file, as kept in $ref (not shown): " value; echo ;;
    esac
    if [ -n "$value" ]; then printf %s "$value" > "$file"; echo "ok: $file, from ${ref%%:*}"; return 0; fi
  done
  stop "nothing is set for $file: $*"
}

random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; } # so many bytes, in hex

mark() { if command -v sha256sum > /dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1; }

same() { # DIR FILE FILE: both hold the same; compared and shown by hash, never by value
  local a b
  a=$(jq -cS . "$1/$2" | mark) || return 1
  b=$(jq -cS . "$1/$3" | mark) || return 1
  [ "$a" = "$b" ] && printf 'ok: %s holds %.8s\n' "$1" "$a"
}

agrees() { # DIR: what it holds is what the credential in use makes; slots that do not exist yet do not count
  jq -e --slurpfile want "$1/expected.json" 'all(to_entries[]; .value == null or .value == $want[0][.key])' "$1/was.json" > /dev/null
}

wait_until() { # SECONDS COMMAND...: until it says yes, or the time is over
  local end=$((SECONDS + ${1%.*} + 1)) what="${*:2}"
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || stop "it did not come true in time: $what"
    sleep "${PAUSE:-5}"
  done
}

gate_says() { # WORD FOLDER|- ADDRESS STATUS
  local said
  said=$(ask "$2" "$3" "$4")
  [ "$said" = "$1" ] || { echo "  the address says $said" >&2; return 1; }
}
