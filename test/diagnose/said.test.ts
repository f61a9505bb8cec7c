/** What is said of each recorded incident, as docs/incidents.md has it: a changed sentence or verdict shows there. */
import { expect, test } from 'vitest';
import { rowOf, rowsOnPage } from '../../docs/incidents.ts';
import { recorded } from '../support/recordings.ts';

const rows = rowsOnPage();
test('the page has a row for each (npm run excerpts)', () => expect(rows).toHaveLength(recorded.length));
test.each(recorded.map((r, i) => [r.name, r, rows[i]] as const))('%s', (_, incident, row) => expect(rowOf(incident)).toBe(row));
