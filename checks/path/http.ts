import type { Connection } from '../../src/facts/facts.ts';
import { standInMisled } from '../../src/mesh/connections.ts';
import { check, judged, skip, unknown } from '../check.ts';
import { outcomeText, plural, serviceRef, some } from '../format.ts';
import { kubectl } from '../fix.ts';

/** A status of 500 and above means that the server itself failed (RFC 9110, section 15.6). */
const failed = (c: Connection) => c.outcome !== 'answered' || (c.status ?? 0) >= 500;
const said = (c: Connection) => (c.outcome === 'answered' ? `${c.detail} after ${Math.round(c.latencyMs ?? 0)} ms` : outcomeText(c.outcome));

/** The requests of `--http PATH`. */
export const http = check({
  id: 'path/http',
  title: 'HTTP requests get no server error',
  needs: ['target'],
  uses: ['connections', 'viaApiServer', 'mesh', 'service', 'slices', 'client'],
  codes: ['http-failing'],
  run({ target, connections, viaApiServer, mesh, service, slices, client }) {
    if (target.http === undefined) return skip('not requested (--http PATH)');
    const made = connections.seen ? connections.value.list : [];
    const byClient = made.filter((c) => c.hop === 'http');
    const byApiServer = viaApiServer.seen ? viaApiServer.value.filter((c) => c.outcome === 'answered') : [];
    // A connection that fails is another check's finding.
    const open = [
      ...byClient.filter((c) => made.some((o) => o.hop !== 'http' && o.hop !== 'payload' && o.target === c.target && o.outcome === 'answered')),
      ...byApiServer,
    ];
    if (byClient.length === 0 && !byApiServer.some(failed)) {
      const [one] = byApiServer;
      const why = connections.seen ? 'no tool at hand could make an HTTP request, or the Service has no TCP port' : `${connections.what}: ${connections.why}`;
      return unknown(one ? `${why}; asked by the API server, ${one.pod ?? one.target} answered with ${said(one)}` : why);
    }
    const bad = open.filter(failed);
    const misled = bad.length > 0 && connections.seen && connections.value.standIn ? standInMisled({ mesh, service, slices, client }, target) : undefined;
    if (misled !== undefined) return unknown(misled);
    const slowest = Math.max(...open.map((c) => c.latencyMs ?? 0));
    const [first] = bad;
    if (!first)
      return judged(
        [],
        open.length === 0
          ? ''
          : `GET ${target.http}: ${some([...new Set(open.map((c) => `HTTP ${c.status}`))])} from ${plural(open.length, 'address', 'addresses')}, the slowest after ${Math.round(slowest)} ms`,
      );
    const pods = bad.flatMap((c) => (c.pod === null ? [] : [c.pod]));
    const endpoints = open.filter((c) => c.pod !== null);
    const all = endpoints.length > 0 ? endpoints.every(failed) : bad.length === open.length;
    return judged([
      {
        code: 'http-failing',
        severity: 'error',
        confidence: 'confirmed',
        scope: all ? 'all' : 'part',
        object: serviceRef(target),
        message: `Service "${target.name}": GET ${target.http} fails on ${all ? 'every endpoint' : some([...new Set(bad.map((c) => c.pod ?? c.target))])}: ${said(first)}`,
        evidence: [...bad.slice(0, 4), ...open.filter((c) => !failed(c)).slice(0, 2)].map((c) => ({
          source: 'probe',
          text: `${c.from ?? (connections.seen ? connections.value.from : '')} → ${c.target}${c.pod ? ` (pod ${c.pod})` : ''}  GET ${target.http}: ${said(c)}`,
        })),
        fix: pods[0] === undefined ? [] : [{ text: `Read the logs of pod "${pods[0]}"`, command: kubectl(target.namespace, 'logs', pods[0], '--tail=20') }],
      },
    ]);
  },
});
