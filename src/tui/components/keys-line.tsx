import { Text } from 'ink';
import { Piece, Toned } from '../theme.tsx';

/** The bottom line: which keys work now; of a narrow terminal as many as fit, or what the last key did. */
export const KeysLine = ({ keys, note, width }: { keys: readonly (readonly [string, string])[]; note: string; width: number }) => {
  if (note) return <Toned tone="accent">{note}</Toned>;
  const fitting: (readonly [string, string])[] = [];
  let used = 0;
  // What leads out stands last, and is never left out.
  const last = keys.at(-1);
  const room = width - (last ? last[0].length + last[1].length + 1 : 0);
  for (const key of keys.slice(0, -1)) {
    used += key[0].length + key[1].length + 4;
    if (used > room) break;
    fitting.push(key);
  }
  return (
    <Text wrap="truncate-end">
      {[...fitting, ...(last ? [last] : [])].map(([key, does], i) => (
        <Text key={key}>
          {i > 0 ? '   ' : ''}
          <Piece tone="bold">{key}</Piece> <Piece tone="dim">{does}</Piece>
        </Text>
      ))}
    </Text>
  );
};
