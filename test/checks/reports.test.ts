/** What each check reports of recorded incidents: every finding with its evidence and its fixes, in full. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { reportOf } from '../support/recordings.ts';
import { groups, pageOf, type Report, reportedOf } from './reports.ts';

describe.each(groups)('%s', (group) => {
  const reports = parse(readFileSync(pageOf(group), 'utf8')) as Report[];
  test.each(reports)('$check, $incident', ({ check, incident, says }) => expect(reportedOf(reportOf(check, () => ({}), incident))).toEqual(says));
});
