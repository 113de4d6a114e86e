# How an API token of a user or an account is replaced or rolled by hand. @root@ is
# where such tokens are; the functions of byhand.sh stand before this.

#= ask
ask() { # FOLDER|- ...: what Cloudflare says of a token: accepted, denied or unclear; it goes nowhere else
  local status
  : > gate.header
  [ "$1" = - ] || printf 'Authorization: Bearer %s\n' "$(<"$1/token")" > gate.header
  status=$(curl -qsSg --max-time 10 -H @gate.header -o gate.json -w '%{http_code}' --url "$@TOOL@_API@root@/verify") || status=000
  if [ "$status" = 200 ] && jq -e '.success and .result.status == "active"' gate.json > /dev/null 2>&1; then echo accepted
  elif [ "$status" = 200 ] && jq -e '.success' gate.json > /dev/null 2>&1; then echo denied
  else case $status in 400 | 401 | 403) jq -e '.success == false' gate.json > /dev/null 2>&1 && echo denied || echo unclear ;; *) echo unclear ;; esac; fi
}

@tool@_unused_for() { # SECONDS: the old token was not used for so long
  @tool@_api GET "@root@/$(<old-id)" || return 1
  jq -e --argjson quiet "$1" '(.result.last_used_on // "1970-01-01T00:00:00Z" | sub("\\.[0-9]+"; "") | fromdateiso8601) < now - $quiet' @tool@.json > /dev/null
}

@tool@_status() { # active|disabled: a PUT replaces the whole token, so everything that was read goes back
  @tool@_api GET "@root@/$(<old-id)" || return 1
  jq --arg status "$1" '.result | del(.id, .issued_on, .modified_on, .last_used_on, .value) | .policies |= map(del(.id) | .permission_groups |= map(del(.name)))
    | .status = $status' @tool@.json > body.json || return 1
  @tool@_api PUT "@root@/$(<old-id)" body.json || return 1
  jq -e --arg status "$1" '.result.status == $status' @tool@.json > /dev/null
}

#= observe
#. The stored token itself is asked for its id; what it may do is read, because the new one is made after it.
printf 'Authorization: Bearer %s\n' "$(<was/token)" > stored.header
status=$(curl -qsSg --max-time 30 -H @stored.header -o verify.json -w '%{http_code}' --url "$@TOOL@_API@root@/verify")
[ "$status" = 200 ] || stop "the stored token is dead, or of the other kind (user or account): $status"
jq -rj .result.id verify.json > old-id
@tool@_api GET "@root@/$(<old-id)"
jq .result @tool@.json > old.json
jq -r '"in use: \(.name), made \(.issued_on), ends \(.expires_on // "never"), last used \(.last_used_on // "never")"' old.json
jq -e '.status == "active"' old.json > /dev/null || stop "the token in use is not active: this is an incident, not a rotation"
random 20 > wrong/token

#= create
#. What it may do is copied from the one in use; ids of policies and names of permission groups are the server's own. `POST` once: if no answer comes, look for the name in the list, delete what bears it ([Rollback](#rollback)), and begin again with a new working folder: the block refuses to be run twice.
jq --rawfile name new-name '{name: $name, policies: (.policies | map(del(.id) | .permission_groups |= map(del(.name))))}
  + (if .condition then {condition} else {} end)
  + (@life@ as $life | if $life > 0 then {expires_on: (now + $life | floor | todate)} else {} end)' old.json > create.json
@tool@_api POST "@root@" create.json
jq -e '.result | .id and .value' @tool@.json > /dev/null || stop "made, but the answer lacks the value: delete it by its name"
jq -rj .result.id @tool@.json > new-id
jq -rj .result.value @tool@.json > new/token
echo "ok: made $(<new-name) as $(<new-id); its value is shown once, and it is in the working folder"

#= roll
#. **There is no overlap:** the old value is dead with the answer, and every consumer is out until it has the new one. The answer is the only copy. The very token that you work with must not be rolled: a lost answer would lock you out.
! cmp -s was/token @tool@.token || stop "this is the token that you work with: replace it, do not roll it"
echo '{}' > roll.json
@tool@_api PUT "@root@/$(<old-id)/value" roll.json
jq -e '.result | type == "string" and length > 0' @tool@.json > /dev/null || stop "the answer lacks the value"
jq -rj .result @tool@.json > new/token
cp old-id new-id
echo "ok: $(jq -r .name old.json) has a new value, and the old one is dead"

#= quiet
#. Both are valid now, so that everything works proves nothing: the issuer must say that nobody uses the old one any more. Where the token is the one that you work with, the new one does the rest from here.
if cmp -s was/token @tool@.token; then
  cp new/token @tool@.token
  printf 'Authorization: Bearer %s\n' "$(<@tool@.token)" > @tool@.header
fi
wait_until @verify@ @tool@_unused_for @quiet@
echo "ok: the old token was last used $(jq -r '.result.last_used_on // "never"' @tool@.json)"

#= disable
#. Switching off can be undone in a moment; deleting cannot.
@tool@_status disabled
echo "ok: the old token is off; if anything breaks now, go back"

#= enable
@tool@_status active
echo "ok: the old token is on"

#= delete
[ -s old-id ] && [ "$(<old-id)" != "$(<new-id)" ] || stop "no old id, or the new one's"
@tool@_api DELETE "@root@/$(<old-id)"
echo "ok: $(jq -r .name old.json) is gone for good"

#= discard
#. By its name, so that one whose answer was lost is found too.
@tool@_all "@root@" 50 > tokens.json
for id in $(jq -r --rawfile name new-name --rawfile old old-id '.[] | select(.name == $name and .id != $old) | .id' tokens.json); do
  @tool@_api DELETE "@root@/$id"
done
echo "ok: no token bears $(<new-name)"
