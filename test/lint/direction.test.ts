import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../support/kubectl.ts';

const root = new URL('../../', import.meta.url).pathname;

/** The linter's messages for a file that exists in a room for a moment. */
async function lint(room: string, text: string): Promise<{ code: number; stdout: string }> {
  const folder = mkdtempSync(join(root, room, 'lint-'));
  try {
    writeFileSync(join(folder, 'violation.ts'), text);
    return await run('npx', ['oxlint', folder], { cwd: root });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('dependencies between rooms point one way', () => {
  test.each([
    ['checks', '../../src/cluster/index.ts'],
    ['src/verdict', '../../gather/gather.ts'],
    ['src/model', '../../verdict/verdict.ts'],
    ['src/facts', '../../cluster/index.ts'],
    ['src/report', '../../cluster/index.ts'],
    ['src/cluster', '../../facts/facts.ts'],
    ['src/tui', '../../cluster/index.ts'],
    ['src/diagnose', '../../cli/main.ts'],
    ['src/scan', '../../repair/plan.ts'],
  ])('%s must not import %s', async (room, target) => {
    const { code, stdout } = await lint(room, `import * as other from '${target}';\nexport const x = other;\n`);
    expect(stdout).toContain('may import only');
    expect(code).not.toBe(0);
  });

  test('what is allowed passes', async () => {
    const { stdout } = await lint('checks', "import { issues } from '../../src/catalog/codes.ts';\nexport const x = issues;\n");
    expect(stdout).not.toContain('may import only');
  });
});
