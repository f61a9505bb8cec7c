/** The scripts by which shells ask `k8s-doctor __complete`. */
import { CannotRun } from '../catalog/cannot-run.ts';

const bash = `# source <(k8s-doctor completion bash)
_k8s_doctor() {
  local word="\${COMP_WORDS[COMP_CWORD]}" IFS=$'\\n'
  COMPREPLY=($(k8s-doctor __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == */ ]] && compopt -o nospace
}
complete -o default -F _k8s_doctor k8s-doctor
`;

const zsh = `#compdef k8s-doctor
# source <(k8s-doctor completion zsh), behind compinit
_k8s_doctor() {
  local -a found
  found=("\${(@f)$(k8s-doctor __complete "\${(@)words[2,$CURRENT]}" 2>/dev/null)}")
  [[ -n "\${found[1]}" ]] || { _files; return }
  compadd -Q -- \${found:#*/}
  compadd -Q -S '' -- \${(M)found:#*/}
}
compdef _k8s_doctor k8s-doctor
`;

const fish = `# k8s-doctor completion fish | source
complete -c k8s-doctor -e
complete -c k8s-doctor -f -a '(k8s-doctor __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`;

const scripts: Record<string, string> = { bash, zsh, fish };

/** Prints the script for a shell, by default the one that SHELL names. Throws CannotRun for another. */
export function completion(shell: string | undefined, env: NodeJS.ProcessEnv, out: NodeJS.WriteStream): number {
  const named = shell ?? env['SHELL']?.split('/').at(-1) ?? 'bash';
  const script = scripts[named];
  if (script === undefined) throw new CannotRun(`There is no completion for "${named}"; choose one of ${Object.keys(scripts).join(', ')}.`);
  out.write(script);
  return 0;
}
