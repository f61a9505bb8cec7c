import { Text } from 'ink';
import { Piece, Toned } from '../theme.tsx';

/** The bottom line: the keys that work now, as many as fit, or the result of the last key. */
export const KeysLine = ({ keys, note, width }: { keys: readonly (readonly [string, string])[]; note: string; width: number }) => {
  if (note) return <Toned tone="accent">{note}</Toned>;
  const fitting: (readonly [string, string])[] = [];
  let used = 0;
  // The key that leaves a view is last, and is always shown.
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
