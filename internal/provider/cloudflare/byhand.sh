# How an Access service token is replaced or rolled by hand. Every section is shell
# of its own; internal/byhand reads it, internal/document lays it out.

#= desk
@tool@_api() { # METHOD PATH [FILE]: one request, never repeated; the answer is in @tool@.json
  local status
  status=$(curl -qsSg --max-time 30 -X "$1" -H @@tool@.header -H 'Content-Type: application/json' \
    ${3:+--data-binary "@$3"} -o @tool@.json -w '%{http_code}' --url "$@TOOL@_API$2") || return 1
  if [ "${status#2}" != "$status" ] && jq -e '.success == true' @tool@.json > /dev/null 2>&1; then return 0; fi
  printf 'Cloudflare answered %s to %s %s (code %s); the whole answer is in %s/@tool@.json\n' "$status" "$1" "$2" \
    "$(jq -r '[.errors[]?.code | tostring] | join(", ")' @tool@.json 2> /dev/null)" "$DESK" >&2
  return 1
}

@tool@_all() { # PATH [SO MANY A PAGE]: every page of a list, as one list
  local page=1
  : > @tool@.pages
  while :; do
    @tool@_api GET "$1?page=$page&per_page=${2:-100}" || return 1
    jq -c '.result[]' @tool@.json >> @tool@.pages || return 1
    jq -e --argjson per "${2:-100}" '(.result | length) > 0 and (if .result_info.total_count then
      .result_info.page * .result_info.per_page < .result_info.total_count else (.result | length) >= $per end)' @tool@.json > /dev/null || break
    page=$((page + 1))
  done
  jq -s . @tool@.pages
}

#= ask
@tool@_edit() { # RULE FILTER: reads right before it writes, sends back everything, compares the answer
  @tool@_api GET "$1" || return 1
  jq .result @tool@.json > rule.json && jq --rawfile old old-id --rawfile new new-id "$2" rule.json > edited.json || return 1
  if cmp -s rule.json edited.json; then echo "ok: nothing to change in $1"; return 0; fi
  jq 'del(.id, .uid, .created_at, .updated_at, .app_count, .reusable)
    | if (.is_default | type) == "array" then del(.is_default) else . end' edited.json > body.json || return 1
  @tool@_api PUT "$1" body.json || return 1
  jq -cS '[.include, .require // [], .exclude // []]' edited.json > sent.json
  jq -cS '.result | [.include, .require // [], .exclude // []]' @tool@.json > kept.json
  cmp -s sent.json kept.json || { echo "Cloudflare kept other rules than were sent to $1: look at it before you go on" >&2; return 1; }
  echo "ok: $1 is edited, and everything else in it is as it was"
}

ask() { # FOLDER|- ADDRESS STATUS: what the address says to a token: accepted, denied, open or unclear
  local status
  : > gate.header; : > gate.answer
  [ "$1" = - ] || printf 'CF-Access-Client-Id: %s\nCF-Access-Client-Secret: %s\n' "$(<"$1/client_id")" "$(<"$1/client_secret")" > gate.header
  status=$(curl -qsSg --max-time 10 -H @gate.header -o gate.page -D gate.answer -w '%{http_code}' --url "$2") || status=000
  if grep -qi '^cf-mitigated:' gate.answer; then echo unclear # a bot rule in front of Access
  elif grep -qiE '^location:.*(\.cloudflareaccess\.com/|/cdn-cgi/access/)' gate.answer; then echo denied # the login page
  elif grep -qiE '^cf-access-(aud|domain):' gate.answer; then case $status in 401 | 403) echo denied ;; *) echo unclear ;; esac
  elif [ "$1" = - ]; then case $status in 2??) echo open ;; *) echo unclear ;; esac
  elif [ "$status" = "$3" ]; then echo accepted
  else echo unclear; fi
}

@tool@_unused_for() { # SECONDS: the old token was not used for so long
  @tool@_api GET "@access@/service_tokens/$(<old-id)" || return 1
  jq -e --argjson quiet "$1" '(.result.last_seen_at // "1970-01-01T00:00:00Z" | sub("\\.[0-9]+"; "") | fromdateiso8601) < now - $quiet' @tool@.json > /dev/null
}

#= login
printf 'Authorization: Bearer %s\n' "$(<@tool@.token)" > @tool@.header

#= observe
#. Which token is in use follows from the *stored* client id, matched in the issuer's list; it is never typed. Then every rule that names it is listed: no endpoint tells who uses a token, so all are read.
@tool@_all "@access@/service_tokens" > tokens.json
jq --rawfile id was/client_id '[.[] | select(.client_id == $id)] | if length == 1 then .[0]
  else error("\(length) live tokens have the stored client id, want 1") end' tokens.json > old.json
jq -rj .id old.json > old-id
jq -r '"in use: \(.name), made \(.created_at), ends \(.expires_at // "never"), last used \(.last_seen_at // "never")"' old.json
jq -e '.enabled != false' old.json > /dev/null || stop "the token in use is switched off: this is an incident, not a rotation"
jq -e 'length < 50' tokens.json > /dev/null || stop "50 tokens are live and no more fit: delete an orphan first"
printf '%s.access' "$(random 16)" > wrong/client_id
random 32 > wrong/client_secret

: > rules.json
for root in @roots@; do
  if [ "${root#/accounts/}" != "$root" ]; then
    @tool@_all "$root/policies" | jq -c --arg at "$root/policies/" '.[] | . + {at: ($at + .id)}' >> rules.json
  fi
  @tool@_all "$root/groups" | jq -c --arg at "$root/groups/" '.[] | . + {at: ($at + .id)}' >> rules.json
  @tool@_all "$root/apps" > apps.json
  jq -e --rawfile id was/client_id '[.[].scim_config | .. | .client_id? // empty] | any(. == $id) | not' apps.json > /dev/null ||
    stop "Cloudflare itself calls out with this token for SCIM: change it there first"
  for app in $(jq -r '.[].id' apps.json); do
    @tool@_all "$root/apps/$app/policies" | jq -c --arg at "$root/apps/$app/policies/" '.[] | select(.reusable != true) | . + {at: ($at + .id)}' >> rules.json
  done
done
jq -s --rawfile id old-id 'map(select([.include[]?, .require[]?, .exclude[]?] | any(.service_token.token_id? == $id)))' rules.json > naming.json
jq -e --rawfile id old-id 'all(.[]; [.require[]?, .exclude[]?] | any(.service_token.token_id? == $id) | not)' naming.json > /dev/null ||
  stop "a rule names it under require or exclude, where a second token does not stand for the first: see naming.json"
jq -r '.[] | "named in \(.at | split("/")[-2]) \"\(.name)\""' naming.json

#= create
#. `POST` once. If no answer comes, do **not** send it again: look for the name in the list, delete what bears it ([Rollback](#rollback)), and begin again with a new working folder: the block refuses to be run twice. Names are not unique, so the run's label is all that tells two apart.
jq -n --rawfile name new-name '{name: $name, duration: @duration@}' > create.json
@tool@_api POST "@access@/service_tokens" create.json
jq -e '.result | .id and .client_id and .client_secret' @tool@.json > /dev/null || stop "made, but the answer lacks the secret: delete it by its name"
jq -rj .result.id @tool@.json > new-id
for field in client_id client_secret; do jq -rj ".result.$field" @tool@.json > "new/$field"; done
echo "ok: made $(<new-name) as $(<new-id); its secret is shown once, and it is in the working folder"

#= roll
#. The same token gets another secret; its client id and every rule stay. Without `previous_client_secret_expires_at` the old secret would be dead **at once**, so it is always sent. If no answer comes, do not send it again: `GET` the token, see whether `client_secret_version` went up, and if it did, rotate once more after the grace.
jq -e '(.previous_client_secret_expires_at // "1970-01-01T00:00:00Z" | sub("\\.[0-9]+"; "") | fromdateiso8601) < now' old.json > /dev/null ||
  stop "an earlier grace still runs: rolling now would end a secret that may be in use"
@roll@
jq -e '.result | .client_id and .client_secret' @tool@.json > /dev/null || stop "the answer lacks the secret; the old one works until the grace ends"
for field in client_id client_secret; do jq -rj ".result.$field" @tool@.json > "new/$field"; done
cp old-id new-id
echo "ok: $(jq -r .name old.json) has a new secret"

#= extend
#. Only if the proofs take longer than the grace: move its end, as often as need be. The clock knows nothing of proofs.
jq --argjson grace @grace@ '{name, previous_client_secret_expires_at: (now + $grace | floor | todate)}' old.json > keep.json
@tool@_api PUT "@access@/service_tokens/$(<old-id)" keep.json
echo "ok: the old secret works for @grace@ seconds from now"

#= admit
#. A new token is in no rule until it is added. `PUT` replaces the whole rule and there is no ETag: everything that was read goes back, and nothing is written in a rule that only denies.
for rule in $(jq -r '.[] | select(.decision != "deny") | .at' naming.json); do
  @tool@_edit "$rule" 'if any(.include[]; .service_token.token_id? == $new) then . else .include += [{service_token: {token_id: $new}}] end'
done
echo "ok: every rule that names the old one names the new one"

#= quiet
#. Both are valid now, so that everything works proves nothing: the issuer must say that nobody uses the old one any more.
wait_until @verify@ @tool@_unused_for @quiet@
echo "ok: the old token was last used $(jq -r '.result.last_seen_at // "never"' @tool@.json)"

#= disable
#. Switching off can be undone in a moment; deleting cannot.
jq '{name, enabled: false}' old.json > off.json
@tool@_api PUT "@access@/service_tokens/$(<old-id)" off.json
jq -e '.result.enabled == false' @tool@.json > /dev/null || stop "Cloudflare took the request and left the token on"
echo "ok: the old token is off; if anything breaks now, go back"

#= dismiss
#. Cloudflare refuses to delete a token that a rule still names (400, 12139).
[ "$(<old-id)" != "$(<new-id)" ] || stop "old and new are the same token"
for rule in $(jq -r '.[].at' naming.json); do
  @tool@_edit "$rule" '.include |= map(select(.service_token.token_id? != $old))'
done
echo "ok: no rule names the old one"

#= delete
[ -s old-id ] && [ "$(<old-id)" != "$(<new-id)" ] || stop "no old id, or the new one's"
@tool@_api DELETE "@access@/service_tokens/$(<old-id)"
echo "ok: $(jq -r .name old.json) is gone for good"

#= expire
#. Both secrets are valid until the clock runs out; everything is proven, so it is ended now.
jq '{name, previous_client_secret_expires_at: (now - 1 | floor | todate)}' old.json > keep.json
@tool@_api PUT "@access@/service_tokens/$(<old-id)" keep.json
echo "ok: the old secret has ended"

#= enable
jq '{name, enabled: true}' old.json > on.json
@tool@_api PUT "@access@/service_tokens/$(<old-id)" on.json
jq -e '.result.enabled != false' @tool@.json > /dev/null || stop "Cloudflare took the request and left the token off"
echo "ok: the old token is on"

#= readmit
for rule in $(jq -r '.[].at' naming.json); do
  @tool@_edit "$rule" 'if any(.include[]; .service_token.token_id? == $old) then . else .include += [{service_token: {token_id: $old}}] end'
done
echo "ok: every rule names the old one"

#= withdraw
if [ -s new-id ]; then
  for rule in $(jq -r '.[].at' naming.json); do
    @tool@_edit "$rule" '.include |= map(select(.service_token.token_id? != $new))'
  done
fi
echo "ok: no rule names the new one"

#= discard
#. By its name, so that one whose answer was lost is found too.
@tool@_all "@access@/service_tokens" > tokens.json
for id in $(jq -r --rawfile name new-name --rawfile old old-id '.[] | select(.name == $name and .id != $old) | .id' tokens.json); do
  @tool@_api DELETE "@access@/service_tokens/$id"
done
echo "ok: no token bears $(<new-name)"

#= prolong
#. A secret that has become the one before cannot become the present one again. It is let live on, and another rotation has to follow before its time.
jq --argjson grace @grace@ '{name, previous_client_secret_expires_at: (now + $grace | floor | todate)}' old.json > keep.json
@tool@_api PUT "@access@/service_tokens/$(<old-id)" keep.json
echo "ok: the old secret works for @grace@ seconds from now"
