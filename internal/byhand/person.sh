# How it is done by hand where no recipe tells it in the shell: a person does it with the
# vendor's own tools, and says what came of it.

#= place
person_read() { # DIR PLACE: what the slots hold now, as a person finds it there; nothing is shown
  local i=0 name
  echo '{}' > "$1/now.json"
  while name=$(jq -r --argjson i "$i" '.[$i] // empty' "$1/names.json") && [ -n "$name" ]; do
    read -rsp "What $2 holds under $name (not shown; nothing, where there is no such name): " value || stop "nobody answers"
    echo
    printf %s "$value" | jq -Rs --slurpfile now "$1/now.json" --arg name "$name" '$now[0] + {($name): (if . == "" then null else . end)}' > "$1/read" || return 1
    unset value
    mv "$1/read" "$1/now.json"
    i=$((i + 1))
  done
}

person_write() { # DIR FILE PLACE: a person writes what a file of the working folder holds
  echo "Write into $3, all of it in one go where that can be, what this file holds by name: $DESK/$1/$2"
  person_did "Written?"
}

#= issuer
ask() { # FOLDER|- ADDRESS STATUS: what a person is told there: accepted, denied or unclear
  local said with="the credential in $DESK/$1"
  [ "$1" != - ] || with="no credential"
  read -rp "Ask $2 with $with. Was it accepted or denied? " said || said=unclear
  case $said in accepted | denied) echo "$said" ;; *) echo unclear ;; esac
}

#= common
person_did() { # QUESTION: goes on only with yes
  local said
  read -rp "$1 Type yes: " said || stop "nobody answers"
  [ "$said" = yes ] || stop "it was not done"
}

#= read
person_read @dir@ @place@

#= observe
#. No recipe tells how this is read in the shell: look there with its own tools.
person_read @dir@ @place@

#= store
person_write @dir@ new.json @place@

#= restore
person_write @dir@ was.json @place@

#= propagate
person_write @dir@ new.json @place@

#= return
person_write @dir@ was.json @place@

#= apply
person_did "Was everything that reads "@place@" made to take up what was written (restarted, reloaded)?"

#= reapply
person_did "Was everything that reads "@place@" made to take up the old values (restarted, reloaded)?"

#= settle
person_did "Does everything that reads "@place@" run on the new values?"

#= resettle
person_did "Does everything that reads "@place@" run on the old values again?"

#= look
#. No recipe tells how this is asked in the shell: look there with its own tools.
read -rp 'Name of the one in use, as it is listed there: ' name
[ -n "$name" ] || stop "no name"
printf %s "$name" > old-id
@wrong@

#= create
#. Give it exactly this name, and the rights and the groups of the old one.
printf 'Make a new one beside it, named %s\n' "$(<new-name)"
@take@
cp new-name new-id
echo "ok: it is in the working folder, and nowhere on the screen"

#= roll
printf 'Give %s a new secret\n' "$(<old-id)"
@take@
cp old-id new-id
echo "ok: it is in the working folder, and nowhere on the screen"

#= extend
person_did "Is the end of the secret before the present one put off?"

#= prolong
person_did "Is the end of the secret before the present one put off, as far as it can be?"

#= admit
printf 'The new one is %s, the old one %s\n' "$(<new-id)" "$(<old-id)"
person_did "Does every rule that names the old one name the new one too?"

#= dismiss
printf 'The old one is %s\n' "$(<old-id)"
person_did "Does no rule name the old one any more?"

#= readmit
printf 'The old one is %s\n' "$(<old-id)"
person_did "Does every rule that named the old one name it again?"

#= withdraw
printf 'The new one is %s\n' "$(<new-id)"
person_did "Does no rule name the new one any more?"

#= quiet
#. Look at its log, at its list of sessions, or at when the old one was last used.
printf 'The old one is %s\n' "$(<old-id)"
person_did "Has nobody used the old one for @quiet@ seconds?"

#= disable
printf 'The old one is %s\n' "$(<old-id)"
person_did "Is it switched off?"

#= enable
printf 'The old one is %s\n' "$(<old-id)"
person_did "Is it switched on again?"

#= delete
[ "$(<old-id)" != "$(<new-id)" ] || stop "old and new are the same"
printf 'The one to be ended is %s\n' "$(<old-id)"
read -rp 'Type its name once it is ended: ' name
[ "$name" = "$(<old-id)" ] || stop "this is another name; nothing was noted"
echo "ok: said to be ended"

#= expire
printf 'The secret before the present one of %s is to be ended\n' "$(<old-id)"
person_did "Is it ended?"

#= discard
printf 'The one to be ended, if it is listed there, is %s\n' "$(<new-name)"
read -rp 'Type its name once it is listed no more: ' name
[ "$name" = "$(<new-name)" ] || stop "this is another name; nothing was noted"
echo "ok: said to be ended"
