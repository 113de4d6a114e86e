# How an OAuth authorization is replaced by hand; the functions of byhand.sh stand
# before this.

#= ask
ask() { # FOLDER|- ...: what Heroku says of a token: accepted, denied, open or unclear; it goes nowhere else
  local status
  : > gate.header
  [ "$1" = - ] || printf 'Authorization: Bearer %s\n' "$(<"$1/token")" > gate.header
  status=$(curl -qsSg --max-time 10 -H @gate.header -H 'Accept: application/vnd.heroku+json; version=3' -o gate.json -w '%{http_code}' --url "$@TOOL@_API/account") || status=000
  if [ "$status" = 401 ] && jq -e '.id == "unauthorized"' gate.json > /dev/null 2>&1; then echo denied
  elif [ "$status" = 200 ] && [ "$1" = - ]; then echo open
  elif [ "$status" = 200 ] && jq -e '.id and .email' gate.json > /dev/null 2>&1; then echo accepted
  else echo unclear; fi
}

#= observe
#. Lists show the two ends of a token at most; by these, or by a stored id, the one in use is found, in the working folder. What fits more than one belongs to none: a guess here is a deletion later.
! cmp -s was/token @tool@.token || stop "this is the authorization that you work with: take another one for the work"
@tool@_all /oauth/authorizations
cp @tool@.json authorizations.json
: > stored-id
if [ -s was/id ]; then cp was/id stored-id; fi
jq --rawfile token was/token --rawfile id stored-id '[.[] | select($id == "" or .id == $id)
  | select((.access_token.token // "") as $shown
    | if $shown == $token then true
      elif $shown | test("\\*{10}") then ($shown | split("**********")) as $ends
        | ($token | startswith($ends[0])) and ($token | endswith($ends[1])) and ($id != "" or ($ends[0] | ltrimstr("HRKU-") | length) + ($ends[1] | length) >= 8)
      else $shown == "" and $id != "" end)]
  | if length == 1 then .[0] else error("\(length) authorizations fit the stored token, want 1: store the id as well") end' authorizations.json > old.json
jq -rj .id old.json > old-id
jq -r '"in use: \(.description), made \(.created_at)"' old.json
printf 'HRKU-%s' "$(random 24)" > wrong/token

#= create
#. `POST` once; the answer is the only one that shows the token. If none comes, look for the description in the list, delete what bears it ([Rollback](#rollback)), and begin again with a new working folder: the block refuses to be run twice. `regenerate-tokens` is not used: the old token would be dead at once.
jq -n --rawfile name new-name '{description: $name, scope: @scope@@expires@}' > create.json
@tool@_api POST /oauth/authorizations create.json
jq -e '.id and .access_token.token and (.access_token.token | test("\\*{10}") | not)' @tool@.json > /dev/null || stop "made, but the answer lacks the token: delete it by its description"
jq -rj .id @tool@.json > new-id
jq -rj .id @tool@.json > new/id
jq -rj .access_token.token @tool@.json > new/token
echo "ok: made $(<new-name) as $(<new-id); its token is shown once, and it is in the working folder"

#= delete
#. Heroku does not tell when one was last used: what is no registered consumer is found by what the apps hold, and elsewhere by its outage.
[ -s old-id ] && [ "$(<old-id)" != "~" ] && [ "$(<old-id)" != "$(<new-id)" ] || stop "no old id, or the new one's"
@tool@_api DELETE "/oauth/authorizations/$(<old-id)"
echo "ok: $(jq -r .description old.json) is gone for good"

#= discard
#. By its description, so that one whose answer was lost is found too.
@tool@_all /oauth/authorizations
cp @tool@.json authorizations.json
for id in $(jq -r --rawfile name new-name --rawfile old old-id '.[] | select(.description == $name and .id != $old) | .id' authorizations.json); do
  @tool@_api DELETE "/oauth/authorizations/$id"
done
echo "ok: no authorization bears $(<new-name)"
