seek() { # of {whole, parts}, what to look for: whole texts, and every spelling in which a part may stand inside another one: as it is, in JSON, HTML, a URL, base64 or hex; a long one by halves as well
  jq --rawfile old old-id 'def coded(f): explode | map([(. / 16 | floor), . % 16] | map("0123456789abcdef"[.:. + 1]) | add | f) | add;
    def spellings: . as $v
      | $v, (tojson | .[1:-1]), @html, @uri, (@uri | gsub("%20"; "+")), (@uri | gsub("%(?<h>..)"; "%" + (.h | ascii_downcase))), coded(.), coded(ascii_upcase),
        (range(3) as $shift | "AAA"[:$shift] + $v | @base64 | rtrimstr("=") | rtrimstr("=") | .[(if $shift > 0 then $shift + 1 else 0 end):-1] | ., (gsub("[+]"; "-") | gsub("/"; "_")));
    map_values(map(select(. != "" and . != $old)))
    | {whole: .whole, inside: ([.parts[] | if length >= 32 then .[:length / 2 | floor], .[length / 2 | floor:] else select(length >= 16) end | spellings] | unique)}'
}

holding() { # FILE KNOWN NAME...: names in an object of texts whose text holds the old one, but those of the slots that KNOWN has under one of the names; white space, line breaks, quotation marks and backslashes hide nothing; the texts go nowhere
  jq -r --slurpfile sought sought.json --slurpfile known "$2" 'def bare: gsub("\\\\+[nrt]"; "") | gsub("[\\s\"\u0027\\\\]"; "");
    [$known[] | select(.at | IN($ARGS.positional[])) | .slots[]?] as $passed
    | ($sought[0].inside | map(., bare) | unique) as $inside | ($sought[0].whole | map(bare)) as $whole
    | [to_entries[] | select(.value != null and (.key | IN($passed[]) | not))
      | select((.value, (.value | bare)) as $text | any($whole[]; . == $text) or any($inside[]; . as $part | $text | contains($part))) | .key]
    | unique | join(", ") | gsub("[^ -~]"; "?")' "$1" --args "${@:3}"
}

found() { # PLACE WHAT: told, and counted unless somebody has decided to leave it without
  if [ -e despite ] && grep -qxFe "$1" despite; then echo "  $1 $2; it is left without, as decided"; return; fi
  echo "  $1 $2"
  echo "$1" >> others
}
