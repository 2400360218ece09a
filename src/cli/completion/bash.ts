// A completion script for bash, without the package bash-completion. bash makes `=` a word of its own, so
// `-log-level=de` is three words; the script puts them together again.

import { allCommands, type CommandNode, type Flag } from './command-tree.ts';

export function bashScript(root: CommandNode): string {
  const commands = allCommands(root);
  const paths = commands.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`);
  return `# Completion of shoal for bash: source it, or put it into /etc/bash_completion.d/shoal
_shoal() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" flag path='' i next
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="\${path:+$path }\${COMP_WORDS[i]}"
    case "$next" in ${paths.join('|')}) path="$next" ;; esac
  done
  flag="$prev"
  if [[ $cur == '=' ]]; then cur=''
  elif [[ $prev == '=' ]]; then flag="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  flag="\${flag/#--/-}"
  local words='' kind=none
  case "$path" in
${commands.map(valuesCase).join('\n')}
  esac
  case "$kind" in
    file) COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames; return ;;
    folder) COMPREPLY=($(compgen -d -- "$cur")); compopt -o filenames; return ;;
    choice) COMPREPLY=($(compgen -W "$words" -- "$cur")); return ;;
    nodes|clients) COMPREPLY=($(compgen -W "$(shoal names $kind 2>/dev/null)" -- "$cur")); return ;;
    text) return ;;
  esac
  case "$path" in
${commands.map(wordsCase).join('\n')}
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "\${cur/#--/-}"))
    [[ \${#COMPREPLY[@]} == 1 && \${COMPREPLY[0]} == *= ]] && compopt -o nospace
  elif [[ $operand == file ]]; then
    COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames
  elif [[ $operand != none ]]; then
    COMPREPLY=($(compgen -W "$(shoal names $operand 2>/dev/null)" -- "$cur"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  fi
}
complete -F _shoal shoal
`;
}

/** What follows a flag that takes a value. */
function valuesCase({ path, flags }: CommandNode): string {
  const byValues = new Map<string, string[]>();
  for (const { name, values } of flags) {
    if (values.kind === 'none') continue;
    const words = values.kind === 'choice' ? ` words='${values.words.join(' ')}'` : '';
    const kind = values.kind === 'live' ? values.list : values.kind;
    const action = `kind=${kind}${words}`;
    byValues.set(action, [...(byValues.get(action) ?? []), name]);
  }
  const cases = [...byValues].map(([action, names]) => `${names.join('|')}) ${action} ;;`);
  return `    '${path}') case "$flag" in ${cases.join(' ')} esac ;;`;
}

function wordsCase({ path, flags, commands, operand }: CommandNode): string {
  const words = operand.kind === 'choice' ? operand.words : commands.map(({ name }) => name);
  const isFile = operand.kind === 'file' || operand.kind === 'folder';
  const kind = operand.kind === 'live' ? operand.list : isFile ? 'file' : 'none';
  return `    '${path}') local flags='${flags.map(withEquals).join(' ')}' operand=${kind} words='${words.join(' ')}' ;;`;
}

/** A long flag takes its value behind an equals sign, a letter after a space. */
function withEquals({ name, values }: Flag): string {
  return values.kind === 'none' || name.length === 2 ? name : `${name}=`;
}
