# How a credential of a portal is replaced by hand: a person makes and ends it
# there, and asks the protected place whether it works.

#= desk
ask() { # FOLDER|- ADDRESS STATUS: what the place says: accepted, denied or unclear
  local status
  : > gate.header
  if [ "$1" != - ]; then
    @headers@
  fi
  status=$(curl -qsSg --max-time 10 -H @gate.header -o gate.page -w '%{http_code}' --url "$2") || status=000
  case $status in "$3") echo accepted ;; 401 | 403) echo denied ;; *) echo unclear ;; esac
}

#= observe
#. The portal lists names and no values: look which one is in use, by its date and its last use.
read -rp 'Name of the one in use, as the portal lists it: ' name
[ -n "$name" ] || stop "no name"
printf %s "$name" > old-id
@wrong@

#= create
#. Give it exactly this name: it is found by it again, and taken away by it.
printf 'The new one is to be named %s\n' "$(<new-name)"
@take@
cp new-name new-id
echo "ok: it is in the working folder, and nowhere on the screen"

#= delete
#. A person's word is not proof: the protected place is asked next.
[ "$(<old-id)" != "$(<new-id)" ] || stop "old and new are the same"
printf 'The one to be ended is %s\n' "$(<old-id)"
read -rp 'Type its name once it is ended: ' name
[ "$name" = "$(<old-id)" ] || stop "this is another name; nothing was noted"
echo "ok: said to be ended"

#= discard
printf 'The one to be ended, if the portal lists it, is %s\n' "$(<new-name)"
read -rp 'Type its name once the portal lists it no more: ' name
[ "$name" = "$(<new-name)" ] || stop "this is another name; nothing was noted"
echo "ok: said to be ended"
