# How a folder of Infisical is read and written by hand, on a server with API v4.

#= desk
@tool@_api() { # METHOD PATH [FILE]: one request, never repeated; the answer is in @tool@.json
  local status
  status=$(curl -qsSg --max-time 30 -X "$1" -H @@tool@.header -H 'Content-Type: application/json' \
    ${3:+--data-binary "@$3"} -o @tool@.json -w '%{http_code}' --url "$@TOOL@_API$2") || return 1
  if [ "${status#2}" != "$status" ]; then return 0; fi
  printf 'Infisical answered %s to %s %s; the whole answer is in %s/@tool@.json\n' "$status" "$1" "${2%%\?*}" "$DESK" >&2
  return 1
}

@tool@_where() { # the project, the environment and the folder, for a query
  jq -rnj --rawfile project @tool@.project --arg environment "$1" --arg path "$2" \
    '"projectId=\($project | @uri)&environment=\($environment | @uri)&secretPath=\($path | @uri)&viewSecretValue=true&expandSecretReferences=false&includeImports=false"'
}

@tool@_read() { # DIR ENVIRONMENT FOLDER: what the slots hold now, by name: lists may be cached, and cannot tell an empty folder from a missing one
  local where name status
  where=$(@tool@_where "$2" "$3")
  : > "$1/slots"
  for name in $(jq -r '.[] | @uri' "$1/names.json"); do
    status=$(curl -qsSg --max-time 30 -H @@tool@.header -o @tool@.json -w '%{http_code}' --url "$@TOOL@_API/api/v4/secrets/$name?$where&type=shared") || return 1
    case $status in
      200) jq -c .secret @tool@.json >> "$1/slots" ;;
      404) jq -e '.message | tostring | startswith("Secret with name")' @tool@.json > /dev/null ||
        { echo "Infisical has no such project, environment or folder: see $DESK/@tool@.json" >&2; return 1; } ;;
      *) echo "Infisical answered $status; the whole answer is in $DESK/@tool@.json" >&2; return 1 ;;
    esac
  done
  jq -s --slurpfile names "$1/names.json" '(map({key: .secretKey, value: .secretValue}) | from_entries) as $held
    | $names[0] | map({key: ., value: $held[.]}) | from_entries' "$1/slots" > "$1/now.json"
}

@tool@_write() { # DIR FILE ENVIRONMENT FOLDER: all slots in one request and one transaction
  jq --rawfile project @tool@.project --arg environment "$3" --arg path "$4" '{projectId: $project, environment: $environment, secretPath: $path,
    mode: "upsert", secrets: [to_entries[] | select(.value != null) | {secretKey: .key, secretValue: .value}]}' "$1/$2" > body.json || return 1
  @tool@_api PATCH /api/v4/secrets/batch body.json || return 1
  jq -e 'has("secrets")' @tool@.json > /dev/null ||
    { echo "answered 200 and wrote nothing: a change policy made a request of it; have it approved and merged, then read back" >&2; return 1; }
}

#= login
jq -n --rawfile id @tool@.client_id --rawfile secret @tool@.client_secret '{clientId: $id, clientSecret: $secret}' > body.json
status=$(curl -qsSg --max-time 30 -H 'Content-Type: application/json' --data-binary @body.json -o @tool@.json -w '%{http_code}' --url "$@TOOL@_API/api/v1/auth/universal-auth/login")
[ "$status" = 200 ] || stop "the login was answered $status; three failed ones lock the identity for a while"
jq -rj .accessToken @tool@.json > @tool@.token
rm -f body.json @tool@.json

#= bearer
printf 'Authorization: Bearer %s\n' "$(<@tool@.token)" > @tool@.header

#= read
@tool@_read @dir@ @environment@ @path@

#= observe
#. Every slot by its name, with the proof that an earlier version can be read back: going back depends on it. Older servers answer any `?version=` with the present value, so the version *in the answer* is compared; and of a name that was deleted and made again the earlier life may answer, so the value under the present version is compared too.
@tool@_read @dir@ @environment@ @path@
jq -se 'all(.[]; .isRotatedSecret != true and .isHoneyTokenSecret != true and .secretValueHidden != true)' @dir@/slots > /dev/null ||
  stop "Infisical's own rotation manages one of these, one is a honey token, or the identity may not read values"
jq -s '[.[] | select(.version > 1)] | first // empty' @dir@/slots > @dir@/earlier
if [ -s @dir@/earlier ]; then
  @tool@_api GET "/api/v4/secrets/$(jq -r '.secretKey | @uri' @dir@/earlier)?$(@tool@_where @environment@ @path@)&type=shared&version=$(jq -r '.version - 1' @dir@/earlier)"
  jq -e --slurpfile now @dir@/earlier '.secret.version == $now[0].version - 1' @tool@.json > /dev/null || stop "the history cannot be read back"
  echo "ok: earlier values can be read back"
fi
jq -r '"\(.secretKey | @uri) \(.version)"' @dir@/slots > @dir@/versions
while read -r name version; do
  @tool@_api GET "/api/v4/secrets/$name?$(@tool@_where @environment@ @path@)&type=shared&version=$version"
  jq -e --slurpfile now @dir@/slots '.secret as $v | any($now[]; .secretKey == $v.secretKey and .version == $v.version and .secretValue == $v.secretValue)' @tool@.json > /dev/null ||
    stop "under version $version of $name the history has another value than it holds now: it was deleted and made again, and its value could not be had back"
done < @dir@/versions

#= store
#. All names in **one** request: one transaction, so that no reader ever finds a new secret beside an old id. 200 alone does not mean written.
@tool@_write @dir@ new.json @environment@ @path@

#= restore
#. The old values in one request; slots that were not there before are deleted.
@tool@_write @dir@ was.json @environment@ @path@
jq --rawfile project @tool@.project --arg environment @environment@ --arg path @path@ --slurpfile now @dir@/now.json '{projectId: $project, environment: $environment,
  secretPath: $path, secrets: [to_entries[] | select(.value == null and $now[0][.key] != null) | {secretKey: .key}]}' @dir@/was.json > body.json
if jq -e '.secrets | length > 0' body.json > /dev/null; then @tool@_api DELETE /api/v4/secrets/batch body.json; fi
