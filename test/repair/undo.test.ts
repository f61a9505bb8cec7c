/** The way back gives an object exactly the fields that it had. */
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { applyPatch, type Operation } from 'rfc6902';
import { describe, expect, test } from 'vitest';
import { fieldsOf, isEqual, readUndo, saveUndo, undoEntry, type UndoFile, wayBack } from '../../src/repair/undo.ts';

const json = fc.object({ maxDepth: 3, key: fc.constantFrom('a', 'b', 'c/d', 'e~f'), values: [fc.string({ maxLength: 3 }), fc.integer(), fc.constant(null)] });
const object = fc.record({
  metadata: fc.record({ labels: fc.dictionary(fc.constantFrom('app', 'a/b', 'x~y'), fc.string({ maxLength: 4 })) }),
  spec: fc.option(json, { nil: undefined }),
  data: fc.option(fc.dictionary(fc.constantFrom('Corefile', 'a/b', '~'), fc.string()), { nil: undefined }),
  ports: fc.option(json, { nil: undefined }),
});

describe('the way back', () => {
  test('from any state to any other one', () => {
    fc.assert(
      fc.property(object, object, (a, b) => {
        const [before, now] = [structuredClone(a), structuredClone(b)].map((o) => JSON.parse(JSON.stringify(o)) as object);
        const [had, has] = [fieldsOf(before), fieldsOf(now)];
        const problems = applyPatch(now, wayBack(has ?? {}, had ?? {}) as Operation[]).filter((p) => p !== null);
        expect(problems).toEqual([]);
        expect(isEqual(fieldsOf(now), had)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
  test('nothing to do is no operation', () => expect(wayBack({ spec: { a: 1 } }, { spec: { a: 1 } })).toEqual([]));
  test('status and identity are not kept', () => {
    const entry = undoEntry(
      { how: 'patch', kind: 'service', namespace: 'shop', name: 'web', type: 'merge', body: {} },
      { metadata: { uid: 'u', resourceVersion: '7' }, spec: { a: 1 }, status: { b: 2 } },
    );
    expect(entry).toMatchObject({ uid: 'u', before: { spec: { a: 1 }, labels: {} } });
    expect(JSON.stringify(entry)).not.toMatch(/resourceVersion|status/);
  });
});

describe('the file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-doctor-undo-'));
  const undo: UndoFile = {
    apiVersion: 'k8s-doctor/v1',
    kind: 'Undo',
    version: '0',
    madeAt: '2026-01-01T00:00:00Z',
    context: 'lab',
    service: { namespace: 'shop', name: 'web' },
    changes: [{ kind: 'service', namespace: 'shop', name: 'web', how: 'patch', uid: 'u', before: { spec: { selector: { app: 'web' } } } }],
  };
  test('is read as it was written, and only by its owner', () => {
    const file = join(folder, 'a.json');
    saveUndo(file, undo);
    expect(readUndo(file)).toEqual(undo);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
  test('a damaged one, another kind and none are refused in one sentence', () => {
    const file = join(folder, 'b.json');
    saveUndo(file, undo);
    for (const text of [
      readFileSync(file, 'utf8').slice(0, 80),
      '{}',
      '[]',
      JSON.stringify({ ...undo, kind: 'Capture' }),
      JSON.stringify({ ...undo, changes: [{}] }),
    ]) {
      writeFileSync(file, text);
      expect(() => readUndo(file)).toThrow(/^(The undo file|.* is not an undo file)/);
    }
    expect(() => readUndo(join(folder, 'none.json'))).toThrow(/cannot be read \(ENOENT\)/);
  });
  test('where it cannot be written nothing is changed', () => {
    expect(() => saveUndo(join(folder, 'no', 'such', 'folder.json'), undo)).toThrow(/so nothing is changed/);
  });
});
