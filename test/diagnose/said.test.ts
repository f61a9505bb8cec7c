/** What is said of each recorded incident, and a whole report for each code, as docs/incidents.md and docs/reports.md have it: what is said otherwise shows there. */
import { expect, test } from 'vitest';
import { rowOf, rowsOnPage } from '../../docs/incidents.ts';
import { reportOf, reportsOnPage } from '../../docs/reports.ts';
import { recorded } from '../support/recordings.ts';

const rows = rowsOnPage();
test('the page has a row for each (npm run excerpts)', () => expect(rows).toHaveLength(recorded.length));
test.each(recorded.map((r, i) => [r.name, r, rows[i]] as const))('%s', (_, incident, row) => expect(rowOf(incident)).toBe(row));

const onPage = reportsOnPage();
test.each(onPage.map((report) => [report.code, report] as const))('%s', (code, report) => {
  const incident = recorded.find((r) => r.name === report.incident);
  expect(incident && reportOf(code, incident)).toEqual(report);
});
