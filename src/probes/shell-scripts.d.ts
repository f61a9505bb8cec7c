/** The build and the tests import shell scripts as text (rolldown.config.ts, vitest.config.ts). */
declare module '*.sh' {
  const script: string;
  export default script;
}
