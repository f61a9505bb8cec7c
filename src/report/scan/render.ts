import { asJson, type Changes, type Scan, scanOf } from '../../scan/scan.ts';
import { cleanDeep } from '../clean.ts';
import type { Watched } from '../html-page.ts';

export const scanFormats = ['text', 'json', 'yaml', 'markdown', 'junit', 'sarif', 'html'] as const;
export type ScanFormat = (typeof scanFormats)[number];

interface Shown {
  unicode: boolean;
  columns: number;
  namespaces: boolean;
  changes: Changes | undefined;
  watched?: Watched | undefined;
}

const changesAsJson = ({ appeared, cleared }: Changes): object => {
  const listed = (all: Changes['appeared']) => all.map(({ service: { context, namespace, name }, codes }) => ({ context, namespace, name, codes }));
  return { appeared: listed(appeared), cleared: listed(cleared) };
};

/** A scan in one format. Only the format that is asked for is loaded. */
export async function renderScan(given: Scan, format: ScanFormat, shown: Shown): Promise<string> {
  const scan = scanOf(cleanDeep(given));
  const changes = cleanDeep(shown.changes);
  const json = () => ({ ...asJson(scan), ...(changes && { since: changesAsJson(changes) }) });
  switch (format) {
    case 'json':
      return `${JSON.stringify(json(), null, 2)}\n`;
    case 'yaml':
      return (await import('yaml')).stringify(json(), { aliasDuplicateObjects: false });
    case 'markdown':
      return (await import('./markdown.ts')).scanMarkdown(scan);
    case 'junit':
      return (await import('./junit.ts')).scanJunit(scan);
    case 'sarif':
      return (await import('./sarif.ts')).scanSarif(scan);
    case 'html':
      return (await import('./html.ts')).scanHtml(scan, cleanDeep(shown.watched));
    case 'text':
      return (await import('./text.ts')).scanText(scan, { ...shown, changes });
  }
}
