export type FailureReason = 'forbidden' | 'not-found' | 'unreachable' | 'timed-out' | 'unauthenticated' | 'malformed' | 'refused' | 'not-possible';

/** The RBAC rule that a request uses; without a namespace it must hold in the whole cluster. */
export interface AccessRule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
  namespace?: string;
}

/** Of a failure that no right would change. */
export const noRule: AccessRule = { apiGroups: [], resources: [], verbs: [] };

export interface Failure {
  reason: FailureReason;
  /** What was asked for, as a person would say it. */
  what: string;
  /** What happened, in one clause. */
  why: string;
  /** HTTP status, where the API server answered. */
  status?: number;
  /** Of a list whose version was forgotten between two pages (410): from where the rest of it can be read as it is now. */
  continue?: string;
  rule: AccessRule;
}

/** What a request came to. Rooms pass failures on as values; nothing is thrown over a room's edge. */
export type Result<T> = { ok: true; value: T } | { ok: false; failure: Failure };

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });
export const failed = (failure: Failure): Result<never> => ({ ok: false, failure });

/** Admission's refusal (a quota, Pod Security, a webhook): no right that could be granted would change it. */
const admission = /is forbidden: (?!User |$)|^admission webhook|exceeded quota|violates PodSecurity/;

interface Status {
  kind: 'Status';
  message?: unknown;
  metadata?: { continue?: string };
}

/** A `metav1.Status`; undefined where the body is none. */
function statusIn(body: string): Status | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'kind' in parsed && parsed.kind === 'Status') return parsed as Status;
  } catch {
    // Something between here and the API server may answer in its own words.
  }
  return undefined;
}

const byStatus: Record<number, FailureReason> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  408: 'timed-out',
  410: 'unreachable',
  429: 'unreachable',
  504: 'timed-out',
};

/**
 * Reads a status of HTTP and its body as a failure. What is no `metav1.Status` was not said by the API server's own rules: it shows
 * nothing about an object or of a right, only that something else answered.
 */
export function fromStatus(status: number, body: string, what: string, rule: AccessRule): Failure {
  const said = statusIn(body);
  const message = said && (typeof said.message === 'string' ? said.message : '');
  const reason = byStatus[status] ?? (status >= 500 ? 'unreachable' : 'refused');
  if (message === undefined) {
    const line = body.trim().startsWith('<') ? '' : (body.trim().split('\n')[0]?.slice(0, 200) ?? '');
    const why = `${status === 404 ? 'what answers there is no API server' : 'something in front of the API server refused'}: ${status}${line ? ` ${line.replace(/^\d{3} /, '')}` : ''}`;
    if (status < 500 && status !== 401 && status !== 408) return { reason: status === 403 ? 'refused' : 'unreachable', what, why, status, rule };
    return { reason, what, why: `the answer was ${status}${line ? ` (${line})` : ''}`, status, rule };
  }
  // Where agents open the way from the API server to the nodes (konnectivity), a missing one says nothing of the pod behind it.
  if (/No agent available/i.test(message))
    return { reason: 'unreachable', what, why: `the API server has no way to that node: no konnectivity agent is connected (${message})`, status, rule };
  // The API server takes a request without credentials for that of a user of this name (Kubernetes documentation, "Anonymous requests").
  if (status === 403 && /User "system:anonymous"/.test(message)) return { reason: 'unauthenticated', what, why: message, status, rule };
  if (status === 403 && admission.test(message)) return { reason: 'refused', what, why: message, status, rule };
  // RBAC's refusal only repeats the rule; other refusals (Pod Security, a quota) have a reason of their own.
  const refused = status === 403 && /cannot (\w+) resource "([^"]+)"/.exec(message);
  // Of an upgrade to exec or port-forward, API servers from v1.35 on refuse the right to create without a reason.
  const isBare = status === 403 && /is forbidden: ?$/.test(message);
  const why = refused
    ? `not allowed to ${refused[1]} ${refused[2]}`
    : isBare
      ? `not allowed to create ${rule.resources.join(', ')}`
      : message || `the API server answered ${status}`;
  return { reason, what, why, status, rule, ...(said?.metadata?.continue && { continue: said.metadata.continue }) };
}

const systemReasons: Record<string, [FailureReason, string]> = {
  ECONNREFUSED: ['unreachable', 'the connection was refused'],
  ECONNRESET: ['unreachable', 'the connection was closed'],
  EHOSTUNREACH: ['unreachable', 'there is no route to it'],
  ENETUNREACH: ['unreachable', 'there is no route to it'],
  ENOTFOUND: ['unreachable', 'its name does not resolve'],
  EAI_AGAIN: ['unreachable', 'its name could not be resolved'],
  ETIMEDOUT: ['timed-out', 'it did not answer in time'],
  ABORT_ERR: ['timed-out', 'it did not answer in time'],
};

/** Reads an error of the network, of TLS or of a deadline as a failure. */
export function fromError(error: unknown, what: string, rule: AccessRule): Failure {
  const err = error as { code?: string; name?: string; message?: string; cause?: { code?: string } };
  const code = err.code ?? err.cause?.code ?? '';
  if (err.name === 'AbortError' || err.name === 'TimeoutError') {
    return { reason: 'timed-out', what, why: 'it did not answer in time', rule };
  }
  const known = systemReasons[code];
  if (known) return { reason: known[0], what, why: known[1], rule };
  return { reason: 'unreachable', what, why: String(err.message || code || error).split('\n')[0] ?? '', rule };
}

/** Reached through the kubelet, a port of the pod refused the connection. */
export class ForwardFailed extends Error {
  /** True where the kubelet dialled the port and nothing listens there; false where the forwarding itself failed. */
  readonly refused: boolean;
  constructor(message: string) {
    super(message);
    this.refused = /connection refused/i.test(message);
  }
}
