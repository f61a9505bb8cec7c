import { Counter, Gauge, Registry } from 'prom-client';
import type { Scanned } from '../../scan/judge.ts';

const statuses = ['healthy', 'degraded', 'faulty', 'undecided'] as const;

export interface Measured {
  version: string;
  services: readonly Scanned[];
  /** Seconds that the first reading of all lists took. */
  scanSeconds: number;
  /** Seconds since 1970 of the last moment at which everything was judged. */
  lastSuccess: number;
  requests: number;
  judged: number;
  watches: number;
  troubles: number;
}

/** What is known, in the text format of Prometheus, named by its conventions (Prometheus documentation, "Metric and label naming"). */
export async function metricsText(m: Measured): Promise<{ contentType: string; text: string }> {
  const registry = new Registry();
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) => new Gauge({ name, help, labelNames, registers: [registry] });
  const counter = (name: string, help: string, value: number) => new Counter({ name, help, registers: [registry] }).inc(value);

  const state = gauge('k8s_doctor_service_state', 'Causes that stop a Service: 2 stops all its clients (faulty), 1 some of them (degraded).', [
    'namespace',
    'service',
    'code',
  ]);
  const undecided = gauge('k8s_doctor_service_undecided', 'Services that could not be judged, because something could not be read.', ['namespace', 'service']);
  const route = gauge('k8s_doctor_route_state', 'Causes that stop an Ingress or a route: 2 stops all its requests (faulty), 1 some of them (degraded).', [
    'namespace',
    'kind',
    'route',
    'code',
  ]);
  const services = m.services.filter((s) => s.kind === 'Service');
  for (const s of m.services)
    if (s.kind !== 'Service')
      for (const c of s.causes) route.set({ namespace: s.namespace, kind: s.kind, route: s.name, code: c.code }, c.scope === 'all' ? 2 : 1);
  for (const s of services) {
    for (const c of s.causes) state.set({ namespace: s.namespace, service: s.name, code: c.code }, c.scope === 'all' ? 2 : 1);
    if (s.status === 'undecided') undecided.set({ namespace: s.namespace, service: s.name }, 1);
  }
  const byStatus = gauge('k8s_doctor_services', 'Services by their status.', ['status']);
  for (const status of statuses) byStatus.set({ status }, services.filter((s) => s.status === status).length);
  gauge('k8s_doctor_services_ignored', 'Services with causes that are accepted.').set(services.filter((s) => s.ignored.length > 0).length);
  gauge('k8s_doctor_scan_duration_seconds', 'How long the first reading and judging of everything took.').set(m.scanSeconds);
  gauge('k8s_doctor_last_success_timestamp_seconds', 'When everything that had changed was judged last.').set(m.lastSuccess);
  gauge('k8s_doctor_build_info', 'The version that runs.', ['version']).set({ version: m.version }, 1);
  counter('k8s_doctor_api_requests_total', 'Requests to the API server.', m.requests);
  counter('k8s_doctor_judgements_total', 'Services that were judged, each time.', m.judged);
  counter('k8s_doctor_watches_total', 'Watches that were begun.', m.watches);
  counter('k8s_doctor_watch_failures_total', 'Watches and lists that failed, and were tried again.', m.troubles);
  return { contentType: registry.contentType, text: await registry.metrics() };
}
