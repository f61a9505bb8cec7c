import { createInterface } from 'node:readline/promises';
import { pipelineFor } from '../../checks/pipeline.ts';
import { CannotRun } from '../catalog/cannot-run.ts';
import { nearest } from '../catalog/nearest-names.ts';
import { diagnose } from '../diagnose/diagnose.ts';
import { readCapture } from '../facts/capture.ts';
import { targetOf } from '../verdict/judge.ts';
import { formats } from '../report/render.ts';
import { canDraw } from './first-paint.ts';
import { exitStatus, parseOutputs, type Screen, writeOutputs } from './output.ts';
import { shippedFolders, shippedText } from './shipped.ts';
import { canPrompt } from './yes-no-prompt.ts';

const folder = 'demo/incidents/';

/** Three incidents for somebody new: what was noticed, and what to see in the answer. */
const tour = [
  {
    name: 'selector-typo',
    noticed: 'After a release nobody reaches the Service any more. Its pods run.',
    see: 'The first line says what fails for whom, the next ones why: the cause, its row of the table, how certain it is, and the command that was tried on the model of the cluster.',
  },
  {
    name: 'policy-default-deny',
    noticed: 'Checkout times out; another team says that it allowed it.',
    see: 'The connection was made from the client itself. Of all rules the nearest one is named, with the one label in which it differs.',
  },
  {
    name: 'two-faults',
    noticed: 'Somebody corrected the port, and it still does not connect.',
    see: 'Each cause alone would break it. The second fix is computed for the cluster as it is after the first.',
  },
];

export interface DemoOptions {
  incident: string | undefined;
  output: string[];
  /** Three incidents, one after another. */
  tour: boolean;
  /** In the terminal UI. */
  interactive: boolean;
}

/** Lists the recorded incidents, or replays one, as `svc --replay` would, or three. Answers the exit status. */
export async function demo({ incident: name, output, tour: isTour, interactive }: DemoOptions, screen: Screen): Promise<number> {
  if (isTour) return guided(screen);
  const names = shippedFolders(folder);
  if (name === undefined) {
    const width = Math.max(...names.map((n) => n.length));
    const lines = names.map((n) => `  ${n.padEnd(width)}  ${(JSON.parse(shippedText(`${folder}${n}/case.json`)) as { title: string }).title}`);
    screen.stdout.write(`Incidents recorded on a real cluster. Replay one with: k8s-doctor demo NAME\n\n${lines.join('\n')}\n`);
    return 0;
  }
  if (!names.includes(name)) {
    const near = nearest(name, names);
    throw new CannotRun(`There is no recorded incident "${name}"${near ? `; did you mean "${near}"?` : `; there are ${names.join(', ')}.`}`);
  }
  const outputs = parseOutputs(output, formats);
  const recording = recordingOf(name);
  if (interactive && !canDraw(screen.env)) throw new CannotRun('-i needs a terminal that can draw; run it in one, or leave it out for text.');
  if (interactive) return (await import('./terminal-ui.ts')).inspectRecording(recording, outputs, screen, 'degraded');
  const diagnosis = diagnose(pipelineFor(targetOf(recording.facts)), recording);
  await writeOutputs(diagnosis, recording.requests, outputs, screen);
  return exitStatus[diagnosis.verdict.status];
}

const recordingOf = (name: string) => readCapture(shippedText(`${folder}${name}/capture.json`));

/** At a terminal each step waits for Enter; else all follow one another. */
async function guided(screen: Screen): Promise<number> {
  const lines = canPrompt(false, screen.env) ? createInterface({ input: process.stdin, output: process.stderr }) : undefined;
  const next = async (what: string) => (lines ? void (await lines.question(`\n[Enter] ${what} `)) : undefined);
  try {
    for (const [i, { name, noticed, see }] of tour.entries()) {
      screen.stdout.write(`\n${i + 1} of ${tour.length}. ${noticed}\n`);
      await next('what k8s-doctor found');
      const recording = recordingOf(name);
      screen.stdout.write('\n');
      await writeOutputs(diagnose(pipelineFor(targetOf(recording.facts)), recording), recording.requests, [{ format: 'text' }], screen);
      screen.stdout.write(`\n${see}\n`);
      if (i + 1 < tour.length) await next('the next one');
    }
    screen.stdout.write('\nEvery check of an incident: k8s-doctor demo NAME -i. On a cluster: k8s-doctor selfcheck, then k8s-doctor svc NAME.\n');
    return 0;
  } finally {
    lines?.close();
  }
}
