/**
 * The rooms in which a wrong line is a wrong verdict, and the tests that are to notice it. Those that start the program, take each fact
 * away, or try the rules of hundreds of Services, are left out: each takes a second or more.
 */
export interface Room {
  /** What is changed. */
  mutate: string[];
  tests: string[];
  /** Tests of the whole pipeline, which every change concerns: only where the others notice too little. */
  whole?: string[];
}

const diagnose = ['rollout', 'said', 'steady'].map((name) => `test/diagnose/${name}.test.ts`);

const nearChecks = ['test/checks/!(gates).test.ts', 'test/mesh/*.test.ts'];
const wholePipeline = [...diagnose, 'test/diagnose/replay.test.ts', 'test/verdict/*.test.ts', 'test/advice/*.test.ts', 'test/repair/plan.test.ts'];

/** The checks of one group, by the name of its folder, and what all of them share. */
const groups = ['service', 'endpoints', 'pods', 'network-policy', 'dns', 'kube-proxy', 'path', 'mesh', 'route', 'api-server'];
const checks = Object.fromEntries(
  [...groups.map((group) => [group, `checks/${group}/**/*.ts`] as const), ['shared', 'checks/*.ts'] as const].map(([name, files]): [string, Room] => [
    `checks/${name}`,
    { mutate: [files], tests: nearChecks, whole: wholePipeline },
  ]),
);

export const rooms: Record<string, Room> = {
  policy: { mutate: ['src/policy/**/*.ts'], tests: ['test/policy/*.test.ts', 'test/checks/policy-dns.test.ts'] },
  proxy: { mutate: ['src/proxy/**/*.ts'], tests: ['test/proxy/!(zoo).test.ts', 'test/checks/proxy.test.ts'] },
  verdict: { mutate: ['src/verdict/**/*.ts'], tests: ['test/verdict/*.test.ts', ...diagnose] },
  ...checks,
};
