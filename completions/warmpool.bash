# bash completion for warmpool(8). The commands, the options, the keys of --set and their values are asked of the program itself, so that
# nothing here has to follow it. Needs nothing of the package bash-completion.

_warmpool_commands() {
  "$1" --help 2> /dev/null | sed -nE 's/^(usage:)? +warmpool \[?([a-z]+).*/\2/p'
}

_warmpool_options() {
  "$1" --help 2> /dev/null | tr -s '][|= ' '\n' | grep -xE -e '--?[a-z]+' | sort -u
}

# KEY= of each option; of the one that is given, KEY=WORD for each word that it may be.
_warmpool_settings() {
  "$1" options 2> /dev/null | awk -F '  +' -v key="$2" '
    NR == 1 || /^ / { next }
    key == "" { print $1 "=" }
    $1 == key {
      count = split($3, choice, /, or |, | or /)
      for (i = 1; i <= count; i++) {
        if (choice[i] ~ /^[a-z]+$/ && choice[i] !~ /^(text|list)$/) {
          print key "=" choice[i]
        }
      }
    }'
}

_warmpool_has_command() {
  local word last=
  for word in "$@"; do
    if [[ $word == [a-z]* && $last != -c && $last != --set ]]; then
      return 0
    fi
    last=$word
  done
  return 1
}

_warmpool() {
  local program=${COMP_WORDS[0]/#\~/$HOME} line=${COMP_LINE:0:COMP_POINT} candidates='' prefix='' words last current setting breaks

  # By blanks only: bash has split at = and : as well.
  read -ra words <<< "$line"
  if [[ $line == *[[:blank:]] ]]; then
    words+=('')
  fi
  last=$((${#words[@]} - 1))
  current=${words[last]}
  if [[ $current == --set=* ]]; then
    prefix=--set=
  fi

  if [[ ${words[last - 1]} == -c ]]; then
    compopt -o filenames 2> /dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
  elif [[ ${words[last - 1]} == --set || -n $prefix ]]; then
    setting=${current#"$prefix"}
    if [[ $setting == *=* ]]; then
      candidates=$(_warmpool_settings "$program" "${setting%%=*}")
    else
      candidates=$(_warmpool_settings "$program" '')
      compopt -o nospace 2> /dev/null
    fi
  elif [[ $current == -* ]]; then
    candidates=$(_warmpool_options "$program")
  elif ! _warmpool_has_command "${words[@]:1:last-1}"; then
    candidates=$(_warmpool_commands "$program")
  fi
  mapfile -t COMPREPLY < <(compgen -P "$prefix" -W "$candidates" -- "${current#"$prefix"}")

  # bash puts it in place of what follows the last of its own word breaks only.
  breaks=${COMP_WORDBREAKS//[^=:]/}
  if [[ -n $breaks && $current == *["$breaks"]* ]]; then
    COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*["$breaks"]}"}"}")
  fi
}

complete -F _warmpool warmpool
