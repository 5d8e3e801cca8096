/*
 * What a shell loads. The scripts give the words to `psn completion --words`, so a new psn completes its own commands.
 * The answer's first line is `words`, `files` or `folders`; then comes a word a line, behind a tab what is said of it.
 */

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** By it psn knows a file that it may replace and remove. */
export const MARK = "# Completion of psn, made by: psn completion";

export const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `${MARK}
_psn() {
  local line quoted kind= typed=\${COMP_WORDS[COMP_CWORD]}
  [[ $typed == = ]] && typed=
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ -z $kind ]]; then kind=$line; continue; fi
    line=\${line%%$'\\t'*}
    printf -v quoted %q "$line"
    quoted=\${quoted//\\\\,/,}
    [[ $line == "$typed"* || $quoted == "$typed"* ]] && COMPREPLY+=("$quoted")
  done < <(psn completion --for bash --words "$COMP_CWORD" -- "\${COMP_WORDS[@]}" 2>/dev/null)
  case $kind in
    files) compopt -o default ;;
    folders) compopt -o dirnames ;;
  esac
}
COMP_WORDBREAKS=\${COMP_WORDBREAKS//:}
complete -F _psn psn`,
  zsh: `#compdef psn
${MARK}
_psn() {
  local line kind
  local -a found said
  while IFS= read -r line; do
    if [[ -z $kind ]]; then kind=$line; continue; fi
    found+=("\${line%%$'\\t'*}")
    said+=("\${line/$'\\t'/  -- }")
  done < <(psn completion --for zsh --words $((CURRENT - 1)) -- "\${(@Q)words}" 2>/dev/null)
  case $kind in
    files) _files ;;
    folders) _files -/ ;;
    *) (( $#found )) && compadd -l -d said -a found ;;
  esac
}
if [[ $funcstack[1] == _psn ]]; then _psn "$@"; else compdef _psn psn; fi`,
  fish: `${MARK}
function __psn_complete
    set -l all (commandline -opc) (commandline -ct)
    set -l found (psn completion --for fish --words (math (count $all) - 1) -- $all 2>/dev/null)
    set -l kind $found[1]
    set -e found[1]
    switch "$kind"
        case files
            __fish_complete_path (commandline -ct)
        case folders
            __fish_complete_directories (commandline -ct)
        case '*'
            printf '%s\\n' $found
    end
end
complete -c psn -f -a '(__psn_complete)'`,
};
