# How a client secret of a machine identity is replaced by hand; the functions of
# byhand.sh stand before this. Three failed logins lock the client id for everybody
# (docs/vendors/infisical.md): nothing here logs in with what the list does not show as
# live, and "dead" is always the list's word.

#= desk
@tool@_secrets() { # METHOD [PATH] [FILE]: one request about the identity whose client secrets these are
  @tool@_api "$1" "/api/v1/auth/universal-auth/identities/$(jq -Rrsj @uri @tool@.identity)${2:-}" ${3:+"$3"}
}

@tool@_live() { # those that may log in, in secrets.json; revoked ones vanish from the list
  @tool@_secrets GET /client-secrets || return 1
  jq '[.clientSecretData[] | select(.isClientSecretRevoked | not)
    | select((.clientSecretTTL // 0) == 0 or (.createdAt | sub("\\.[0-9]+"; "") | fromdateiso8601) + .clientSecretTTL > now)]' @tool@.json > secrets.json
}

@tool@_login() { # CLIENT_ID SECRET, both files: what Infisical itself says: accepted, denied or unclear; the access token is in login.token
  local status
  : > login.token
  jq -n --rawfile id "$1" --rawfile secret "$2" '{clientId: $id, clientSecret: $secret}' > login.json
  status=$(curl -qsSg --max-time 10 -H 'Content-Type: application/json' --data-binary @login.json -o gate.json -w '%{http_code}' --url "$@TOOL@_API/api/v1/auth/universal-auth/login") || status=000
  rm -f login.json
  if [ "$status" = 200 ] && jq -e '.accessToken | type == "string" and length > 0' gate.json > /dev/null 2>&1; then
    jq -rj .accessToken gate.json > login.token
    echo accepted
  elif [ "$status" = 401 ] && jq -e '.message | tostring | contains("temporarily locked")' gate.json > /dev/null 2>&1; then
    echo "  the identity is locked after failed logins; it opens again by itself" >&2
    echo unclear
  elif [ "$status" = 401 ] && jq -e '.error == "UnauthorizedError"' gate.json > /dev/null 2>&1; then echo denied
  elif [ "$status" = 404 ] && jq -e '.message == "No identity with specified client ID was found"' gate.json > /dev/null 2>&1; then echo denied
  else echo unclear; fi
}

@tool@_try() { # SECRET, a file: one login with what the list shows as live; a refused one is not repeated for a minute, and never often enough to lock
  local said last
  if [ -s refused ]; then
    last=$(jq -s last refused)
    if [ "$(jq -s length refused)" -ge @most@ ] || [ $(($(date +%s) - last)) -lt @retry@ ]; then
      echo "  a login was refused although the list shows it as live: none is tried now, for three in a row lock the identity for everybody" >&2
      echo unclear
      return 0
    fi
  fi
  said=$(@tool@_login client-id "$1")
  if [ "$said" = denied ]; then date +%s >> refused; fi
  echo "$said"
}

@tool@_from() { # TOKEN, a file: the id of the client secret that an access token came from; empty if it does not tell
  jq -Rrsj 'split(".") | if length == 3 then (.[1] | gsub("-"; "+") | gsub("_"; "/") | . + "==="[:(4 - length % 4) % 4] | try (@base64d | fromjson | .clientSecretId // "") catch "") else "" end' "$1"
}

ask() { # FOLDER|- ...: accepted, denied, open or unclear; the old one is never logged in with, the list tells of it
  local said
  case $1 in
    - | wrong) # of no identity: it can lock none
      : > nothing
      if [ "$1" = - ]; then said=$(@tool@_login nothing nothing); else said=$(@tool@_login wrong/client_id wrong/client_secret); fi
      if [ "$1$said" = -accepted ]; then said=open; fi
      echo "$said" ;;
    was)
      @tool@_live || { echo unclear; return 0; }
      if jq -e --rawfile id old-id 'any(.[]; .id == $id)' secrets.json > /dev/null; then
        echo "  the list shows the old one as live" >&2
        echo unclear
      else echo denied; fi ;;
    *)
      @tool@_live || { echo unclear; return 0; }
      if ! jq -e --rawfile id new-id 'any(.[]; .id == $id)' secrets.json > /dev/null; then
        echo "  the list does not show the new one" >&2
        echo unclear
        return 0
      fi
      said=$(@tool@_try new/client_secret)
      if [ "$said" = accepted ] && [ -n "$(@tool@_from login.token)" ] && [ "$(@tool@_from login.token)" != "$(<new-id)" ]; then
        echo "  it works, but as another client secret than the list shows" >&2
        said=unclear
      fi
      echo "$said" ;;
  esac
}

@tool@_unused_for() { # SECONDS: nobody logged in with the old one for so long: nothing but a login changes one that is live
  @tool@_live || return 1
  jq -e --rawfile id old-id --argjson quiet "$1" '[.[] | select(.id == $id)] | length == 1 and all(.[]; .clientSecretNumUses == 0 or (.updatedAt | sub("\\.[0-9]+"; "") | fromdateiso8601) < now - $quiet)' secrets.json > /dev/null
}

@tool@_revoke() { # ID: looked at before, since revoking again is not an error and an unknown id is 500
  @tool@_secrets GET "/client-secrets/$1" || return 1
  if jq -e .clientSecretData.isClientSecretRevoked @tool@.json > /dev/null; then echo "it is revoked already"; return 0; fi
  echo '{}' > revoke.json
  @tool@_secrets POST "/client-secrets/$1/revoke" revoke.json || return 1
  jq -e --arg id "$1" '.clientSecretData | .id == $id and .isClientSecretRevoked' @tool@.json > /dev/null || { echo "the answer does not show it as revoked" >&2; return 1; }
}

#= observe
#. The list shows the first four digits of each. By a stored id the one in use is known; without, one login with the stored secret tells, and only if the list shows one like it as live: **three failed logins within half a minute lock the client id for everybody who uses it.** The one that you work with is not rotated: a working folder that is set up again could read nothing.
@tool@_secrets GET
jq -e '.identityUniversalAuth.clientId' @tool@.json > /dev/null || stop "the answer lacks the client id"
jq -rj .identityUniversalAuth.clientId @tool@.json > client-id
if [ -s was/client_id ]; then cmp -s was/client_id client-id || stop "the client id that is stored is not that of this identity"; fi
jq -r '.identityUniversalAuth | "access tokens that came from the old one live for up to \(.accessTokenMaxTTL) seconds after their login, and end when it is revoked"' @tool@.json
@tool@_live
: > stored-id
if [ -s was/id ]; then cp was/id stored-id; fi
jq --rawfile secret was/client_secret --rawfile id stored-id '[.[] | . as $x | select(.clientSecretPrefix // "" | . != "" and (. as $p | $secret | startswith($p))) | select($id == "" or .id == $id)]' secrets.json > fitting.json
jq -e 'length > 0' fitting.json > /dev/null || stop "no live client secret is like the stored one: this is an incident, not a rotation"
if [ -s stored-id ]; then cp stored-id old-id
else
  jq -e 'all(.[]; (.clientSecretNumUsesLimit // 0) == 0)' fitting.json > /dev/null || stop "its number of logins may be limited, so none is spent to tell which it is: store its id as well"
  [ "$(@tool@_try was/client_secret)" = accepted ] || stop "the list shows one like it as live, and the stored one is not accepted: do not try again, look first what is stored"
  @tool@_from login.token > old-id
  if [ ! -s old-id ] && jq -e 'length == 1' fitting.json > /dev/null; then jq -rj '.[0].id' fitting.json > old-id; fi
fi
jq --rawfile id old-id '[.[] | select(.id == $id)] | if length == 1 then .[0] else error("which one it is cannot be told: store its id as well") end' fitting.json > old.json
for own in *.token; do
  if [ "$own" = login.token ]; then continue; fi
  [ "$(@tool@_from "$own")" != "$(<old-id)" ] || stop "this is the client secret that you work with: take another identity for the work"
done
jq -r '"in use: \(.description), made \(.createdAt), \(.clientSecretNumUses) logins, the last \(if .clientSecretNumUses > 0 then .updatedAt else "never" end)"' old.json
printf '%s-%s-4000-8000-%s' "$(random 4)" "$(random 2)" "$(random 6)" > wrong/client_id
random 32 > wrong/client_secret

#= create
#. `POST` once; the answer is the only one that has the secret. If none comes, look for the description in the list, revoke what bears it ([Rollback](#rollback)), and begin again with a new working folder: the block refuses to be run twice.
jq -n --rawfile name new-name '{description: $name, ttl: @ttl@, numUsesLimit: 0}' > create.json
@tool@_secrets POST /client-secrets create.json
jq -e '.clientSecret as $s | .clientSecretData | .id and (.clientSecretPrefix // "") != "" and (.clientSecretPrefix as $p | $s | startswith($p))' @tool@.json > /dev/null ||
  stop "made, but the answer lacks the id or the secret: revoke it by its description"
jq -rj .clientSecretData.id @tool@.json > new-id
cp new-id new/id
cp client-id new/client_id
jq -rj .clientSecret @tool@.json > new/client_secret
rm -f @tool@.json
echo "ok: made $(<new-name) as $(<new-id); its secret is shown once, and it is in the working folder"

#= quiet
#. Both are valid now, so that everything works proves nothing: Infisical must say that nobody logs in with the old one any more. Whoever holds an access token needs no login for as long as that lives, so an unregistered user may not show at all, and is cut off when the old one is revoked.
wait_until @verify@ @tool@_unused_for @quiet@
echo "ok: $(jq -r --rawfile id old-id '.[] | select(.id == $id) | "\(.clientSecretNumUses) logins with the old one, the last \(if .clientSecretNumUses > 0 then .updatedAt else "never" end)"' secrets.json)"

#= delete
#. It ends logins, and at once every access token that came from it. That it is dead is shown by the list, from which it vanishes: **do not log in with it to see.**
[ -s old-id ] && [ "$(<old-id)" != "$(<new-id)" ] || stop "no old id, or the new one's"
@tool@_revoke "$(<old-id)"
echo "ok: $(jq -r .description old.json) cannot be used to log in any more"

#= discard
#. By its description, so that one whose answer was lost is found too.
@tool@_live
for id in $(jq -r --rawfile name new-name --rawfile old old-id '.[] | select(.description == $name and .id != $old) | .id' secrets.json); do
  @tool@_revoke "$id"
done
echo "ok: no client secret bears $(<new-name)"
