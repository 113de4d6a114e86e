# How config vars of an app, or of a stage of a pipeline, are read, written and
# followed by hand. Not with `heroku config:set`: it puts the value into argv,
# prints it, repeats a PATCH up to five times and waits for nothing
# (docs/vendors/heroku.md).

#= desk
@tool@_api() { # METHOD PATH [FILE] [HEADER]: one request, never repeated; the answer is in @tool@.json, its headers in @tool@.head
  local status
  status=$(curl -qsSg --max-time 30 -X "$1" -H @@tool@.header -H "Accept: application/vnd.heroku+json; version=3${VARIANT:-}" -H 'Content-Type: application/json' \
    ${4:+-H "$4"} ${3:+--data-binary "@$3"} -D @tool@.head -o @tool@.json -w '%{http_code}' --url "$@TOOL@_API$2") || { echo 000 > @tool@.status; return 1; }
  printf %s "$status" > @tool@.status
  if [ "${status#2}" != "$status" ]; then return 0; fi
  printf 'Heroku answered %s to %s %s (%s); the whole answer is in %s/@tool@.json\n' "$status" "$1" "$2" "$(jq -r '.id? // "?"' @tool@.json 2> /dev/null)" "$DESK" >&2
  return 1
}

@tool@_all() { # PATH: every page of a list, in @tool@.json: 206 and Next-Range mean that there is more, and half a list is not a list
  local range='' before
  : > @tool@.pages
  while :; do
    @tool@_api GET "$1" '' "${range:+Range: $range}" || return 1
    cat @tool@.json >> @tool@.pages
    if [ "$(<@tool@.status)" != 206 ]; then break; fi
    before=$range
    range=$(grep -i '^next-range: ' @tool@.head | tr -d '\r' | cut -d ' ' -f 2-) || true
    [ -n "$range" ] && [ "$range" != "$before" ] || { echo "the list goes on, and Heroku does not say where" >&2; return 1; }
  done
  jq -s add @tool@.pages > @tool@.json
}

@tool@_read() { # DIR PATH: what the slots hold now; the answer holds every secret of the app, so the others are dropped at once
  @tool@_api GET "$2/config-vars" || return 1
  jq --slurpfile names "$1/names.json" '. as $all | $names[0] | map({key: ., value: $all[.]}) | from_entries' @tool@.json > "$1/now.json" || return 1
  rm -f @tool@.json
}

@tool@_note() { # DIR PATH: the newest release, before a write: the answer to a write names none
  @tool@_api GET "$2/releases" '' 'Range: version ..; order=desc,max=1' || return 1
  jq -e '.[0].status != "pending"' @tool@.json > /dev/null || { echo "a release is still pending" >&2; return 1; }
  jq -rj '.[0].version // 0' @tool@.json > "$1/since"
}

@tool@_settled() { # DIR PATH DYNOS: the release that the write made has succeeded, and every process runs on it
  @tool@_api GET "$2/releases" '' 'Range: version ..; order=desc,max=20' || return 1
  jq -e --rawfile since "$1/since" '[.[] | select(.version > ($since | tonumber))] | (map(select(.description | test("config var"))) | last) // last' \
    @tool@.json > "$1/release.json" || return 1
  case $(jq -r .status "$1/release.json") in
    succeeded) ;;
    pending) return 1 ;;
    *) stop "the release did not succeed: the app still runs on the old values" ;;
  esac
  @tool@_api GET "$2/dynos" || return 1
  jq -e --slurpfile on "$1/release.json" '[.[] | select(.release.version >= $on[0].version and .state == "crashed")] | length == 0' @tool@.json > /dev/null ||
    stop "a dyno has crashed on the new release"
  jq -e --slurpfile on "$1/release.json" "map($3)"' | all(.[]; .type == "release" or (.release.version >= $on[0].version and (.state == "up" or .state == "idle")))' @tool@.json > /dev/null
}

#= login
printf 'Authorization: Bearer %s\n' "$(<@tool@.token)" > @tool@.header

#= read
@tool@_read @dir@ @app@

#= observe
#. What it holds, and that it is well: in maintenance mode a check asks the maintenance page, and a crashed dyno proves nothing.
@tool@_api GET @app@
jq -e '.maintenance != true' @tool@.json > /dev/null || stop "maintenance mode is on"
@tool@_note @dir@ @app@
@tool@_api GET @app@/dynos
jq -e 'all(.[]; .state != "crashed")' @tool@.json > /dev/null || stop "a dyno has crashed"
jq -r 'def oneoff: .type == "run" or .type == "scheduler" or (.name | test("\\.[0-9]{4}")); "\([.[] | select(oneoff | not)] | length) dynos run; one-off: \([.[] | select(oneoff) | .name] | join(", "))"' @tool@.json
@tool@_read @dir@ @app@

#= propagate
#. **One** `PATCH` with all names: one release, one restart. Not with `heroku config:set`, which puts the value into argv and prints it.
@tool@_note @dir@ @app@
@tool@_api PATCH @app@/config-vars @dir@/new.json
rm -f @tool@.json

#= settle
#. 200 is not "rolled out": with a release command the old values stay in force until it has succeeded. So the release is followed, then every dyno, then the values are read back; then old processes get the time that they may live on.
wait_until @settle@ @tool@_settled @dir@ @app@ '@dynos@'
echo "ok: release v$(jq -r .version @dir@/release.json) succeeded, and every dyno runs on it"
@grace_shell@

#= return
@tool@_note @dir@ @app@
@tool@_api PATCH @app@/config-vars @dir@/was.json
rm -f @tool@.json

#= resettle
wait_until @settle@ @tool@_settled @dir@ @app@ '@dynos@'
echo "ok: release v$(jq -r .version @dir@/release.json) succeeded, and every dyno runs on it"
@grace_shell@

#= registered
jq -n --arg app @appname@ --slurpfile names @dir@/names.json '{at: $app, slots: $names[0]}' >> @tool@.known

#= survey
#. At Heroku: every app that the account of the token may see, all pages of the list. Heroku does not tell what it leaves out of it.
@tool@_all /apps
jq -r '.[] | "\(.id) \(.name)"' @tool@.json > @tool@.apps
while read -r id app; do
  if @tool@_api GET "/apps/$id/config-vars"; then
    names=$(holding @tool@.json @tool@.known "$id" "$app")
    rm -f @tool@.json # every secret of the app
    echo "$app" >> looked
    if [ -z "$names" ]; then continue; fi
    if jq -se --arg id "$id" 'any(.[]; .at == $id and .kept)' @tool@.known > /dev/null; then echo "  $app keeps the old value in $names until it is recreated"; else found "$app" "holds it in $names"; fi
  else
    case $(<@tool@.status) in
      401 | 429) stop "Heroku denies looking now: paste this block once more later" ;;
      4??) found "$app" "could not be seen, which is not the same as nobody" ;;
      *) stop "the look was cut off: paste this block once more" ;;
    esac
  fi
done < @tool@.apps
