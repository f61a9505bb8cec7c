import { Box, useAnimation } from 'ink';
import type { StageProgress } from '../../diagnose/progress.ts';
import { stageRows } from '../../report/view.ts';
import { Toned, toneOf, useTheme } from '../theme.tsx';

const nameWidth = 16;
const timeWidth = 8;

/** One stage: its mark or a spinner, what it found or waits for, and when it was done. */
function StageLine({ stage, frame, width }: { stage: StageProgress; frame: number; width: number }) {
  const { marks, spinner, dot } = useTheme();
  const isDone = stage.reports.length === stage.checks.length;
  const row = stageRows(stage.reports, [])[0];
  // The spinner turns only in stages that wait for something.
  const spinnerMark = stage.waiting ? (spinner[frame % spinner.length] ?? '') : dot;
  const mark = isDone && row ? marks[row.status] : spinnerMark;
  const tone = isDone && row ? toneOf[row.status] : stage.waiting ? 'accent' : 'dim';
  const seconds = Math.floor((Date.now() - stage.since) / 1000);
  const waiting = stage.waiting && `${stage.waiting}${seconds > 0 ? `, ${seconds} s` : ''}`;
  const text = isDone ? (row?.text ?? '') : waiting || `${stage.reports.length} of ${stage.checks.length} checks`;
  const showsTime = width >= 60;
  return (
    <Box width={width} height={1}>
      <Box width={nameWidth + 3} flexShrink={0}>
        <Toned tone={tone}>{`${mark} ${stage.stage}`}</Toned>
      </Box>
      <Box flexGrow={1} flexShrink={1} overflow="hidden" height={1}>
        <Toned tone={isDone && row?.status === 'skip' ? 'dim' : 'plain'}>{text}</Toned>
      </Box>
      {showsTime ? (
        <Box width={timeWidth} flexShrink={0} justifyContent="flex-end">
          <Toned tone="dim">{isDone ? `${stage.ms} ms` : ''}</Toned>
        </Box>
      ) : null}
    </Box>
  );
}

/** The seven stages in their order, each with its live state; where there are too few lines for all, those that are still open. */
export function Stages({ stages, width, room }: { stages: readonly StageProgress[]; width: number; room: number }) {
  const { frame } = useAnimation({ interval: 100, isActive: stages.some((s) => s.reports.length < s.checks.length) });
  const open = stages.filter((s) => s.reports.length < s.checks.length);
  const shown = stages.length <= room ? stages : open.slice(0, Math.max(1, room));
  return (
    <Box flexDirection="column">
      {shown.map((s) => (
        <StageLine key={s.stage} stage={s} frame={frame} width={width} />
      ))}
    </Box>
  );
}
