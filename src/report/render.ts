import type { Diagnosis } from '../diagnose/diagnosis.ts';
import { cleanDeep } from './clean.ts';
import type { Watched } from './html-page.ts';
import type { TextOptions } from './text.ts';

export const formats = ['text', 'wide', 'json', 'yaml', 'markdown', 'junit', 'sarif', 'html'] as const;
export type Format = (typeof formats)[number];

/** One diagnosis in one format. Only the format that is asked for is loaded. `watched`: what a watch has seen so far. */
export async function render(diagnosis: Diagnosis, requests: number, format: Format, text: Omit<TextOptions, 'wide'>, watched?: Watched): Promise<string> {
  const shown = cleanDeep(diagnosis);
  switch (format) {
    case 'json':
      return `${JSON.stringify(shown, null, 2)}\n`;
    case 'yaml':
      return (await import('yaml')).stringify(shown);
    case 'markdown':
      return (await import('./markdown.ts')).renderMarkdown(shown);
    case 'junit':
      return (await import('./junit.ts')).renderJunit(shown);
    case 'sarif':
      return (await import('./sarif.ts')).renderSarif(shown);
    case 'html':
      return (await import('./html.ts')).renderHtml(shown, cleanDeep(watched));
    case 'text':
    case 'wide':
      return (await import('./text.ts')).renderText(shown, requests, { ...text, wide: format === 'wide' });
  }
}
