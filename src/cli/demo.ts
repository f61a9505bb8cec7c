import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pipelineFor } from '../../checks/pipeline.ts';
import { CannotRun } from '../catalog/cannot-run.ts';
import { nearest } from '../catalog/nearest-names.ts';
import { diagnose } from '../diagnose/diagnose.ts';
import { targetOf } from '../verdict/judge.ts';
import { formats } from '../report/render.ts';
import { replayed } from './captures.ts';
import { exitStatus, parseOutputs, type Screen, writeOutputs } from './output.ts';

// Both the bundle (dist/) and the incidents ship in the package's root.
const folder = new URL('../demo/incidents/', import.meta.url);

/** Lists the recorded incidents, or replays one as `svc --replay` would. Answers the exit status. */
export async function demo(name: string | undefined, output: string[], screen: Screen): Promise<number> {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((e) => e.isDirectory())
    .map((e) => e.name)
    .toSorted();
  if (name === undefined) {
    const width = Math.max(...names.map((n) => n.length));
    const lines = names.map((n) => `  ${n.padEnd(width)}  ${(JSON.parse(readFileSync(new URL(`${n}/case.json`, folder), 'utf8')) as { title: string }).title}`);
    screen.stdout.write(`Incidents recorded on a real cluster. Replay one with: k8s-doctor demo NAME\n\n${lines.join('\n')}\n`);
    return 0;
  }
  if (!names.includes(name)) {
    const near = nearest(name, names);
    throw new CannotRun(`There is no recorded incident "${name}"${near ? `; did you mean "${near}"?` : `; there are ${names.join(', ')}.`}`);
  }
  const outputs = parseOutputs(output, formats);
  const recording = replayed(fileURLToPath(new URL(`${name}/capture.json`, folder)));
  const diagnosis = diagnose(pipelineFor(targetOf(recording.facts)), recording);
  await writeOutputs(diagnosis, recording.requests, outputs, screen);
  return exitStatus[diagnosis.verdict.status];
}
