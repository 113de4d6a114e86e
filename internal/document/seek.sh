seek() { # of {whole, parts}, what to look for: whole texts, and every spelling in which a part may stand inside another one: as it is, in JSON, in a URL, in base64
  jq --rawfile old old-id 'def spellings: . as $v
      | $v, (tojson | .[1:-1]), @uri, (@uri | gsub("%20"; "+")),
        (range(3) as $shift | "AAA"[:$shift] + $v | @base64 | rtrimstr("=") | rtrimstr("=") | .[(if $shift > 0 then $shift + 1 else 0 end):-1] | ., (gsub("[+]"; "-") | gsub("/"; "_")));
    map_values(map(select(. != "" and . != $old)))
    | {whole: .whole, inside: ([.parts[] | select(length >= 16) | spellings] | unique)}'
}

holding() { # FILE KNOWN NAME...: names in an object of texts whose text holds the old one, but those of the slots that KNOWN has under one of the names; the texts go nowhere
  jq -r --slurpfile sought sought.json --slurpfile known "$2" '[$known[] | select(.at | IN($ARGS.positional[])) | .slots[]?] as $passed
    | [to_entries[] | select(.value != null and (.key | IN($passed[]) | not))
      | select(.value as $text | any($sought[0].whole[]; . == $text) or any($sought[0].inside[]; . as $part | $text | contains($part))) | .key]
    | join(", ") | gsub("[^ -~]"; "?")' "$1" --args "${@:3}"
}

found() { # PLACE WHAT: told, and counted unless somebody has decided to leave it without
  if [ -e despite ] && grep -qxFe "$1" despite; then echo "  $1 $2; it is left without, as decided"; return; fi
  echo "  $1 $2"
  echo "$1" >> others
}
