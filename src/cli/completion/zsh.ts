// A completion script for zsh: one function for each command, in the form of _arguments.

import { allCommands, type CommandNode, type Flag, type Values } from './command-tree.ts';

export function zshScript(root: CommandNode): string {
  return `#compdef shoal
# Completion of shoal for zsh: put it as _shoal into a folder of $fpath, or source it.
_shoal_names() { compadd -- \${(f)"$(shoal names $1 2>/dev/null)"} }
${allCommands(root).map(commandFunction).join('\n')}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _shoal "$@"; else compdef _shoal shoal; fi
`;
}

function commandFunction(command: CommandNode): string {
  const { flags, commands, operand } = command;
  const specs = flags.map(flagSpec);
  if (commands.length === 0) {
    const rest = operand.kind === 'none' ? [] : [quoted(`*:${actionOf(operand)}`)];
    return `${functionName(command)}() {
  _arguments -S ${[...specs, ...rest].join(' \\\n    ')}
}`;
  }
  const names = commands.map(({ name, help }) => quoted(`${name}:${help}`));
  const cases = commands.map((child) => `${child.name}) ${functionName(child)} ;;`);
  return `${functionName(command)}() {
  local context state state_descr line
  typeset -A opt_args
  _arguments -C -S ${[...specs, quoted('1: :->command'), quoted('*:: :->rest')].join(' \\\n    ')}
  case $state in
    command) local -a commands=(${names.join(' \\\n      ')}); _describe command commands ;;
    rest) case $line[1] in ${cases.join(' ')} esac ;;
  esac
}`;
}

function functionName({ path }: CommandNode): string {
  return path === '' ? '_shoal' : `_shoal_${path.replace(/\W/g, '_')}`;
}

/** `-nid=[node name]:name:`; the value of a letter is the next word. */
function flagSpec({ name, help, values }: Flag): string {
  const text = help.replace(/[[\]:\\]/g, '\\$&');
  if (values.kind === 'none') return quoted(`*${name}[${text}]`);
  return quoted(`*${name}${name.length === 2 ? '' : '='}[${text}]:${actionOf(values)}`);
}

function actionOf(values: Values): string {
  switch (values.kind) {
    case 'file':
      return 'file:_files';
    case 'folder':
      return 'folder:_files -/';
    case 'live':
      return `value: _shoal_names ${values.list}`;
    case 'choice':
      return `value:(${values.words.join(' ')})`;
    default:
      return 'value: ';
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
