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
  rule: AccessRule;
}

/** What a request came to. Rooms pass failures on as values; nothing is thrown over a room's edge. */
export type Result<T> = { ok: true; value: T } | { ok: false; failure: Failure };

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });
export const failed = (failure: Failure): Result<never> => ({ ok: false, failure });

/** Admission's refusal (a quota, Pod Security, a webhook): no right that could be granted would change it. */
const admission = /is forbidden: (?!User )|^admission webhook|exceeded quota|violates PodSecurity/;

/** Reads the API server's answer (a `metav1.Status`, or a proxy's page) as a failure. */
export function fromStatus(status: number, body: string, what: string, rule: AccessRule): Failure {
  let message = body.trim().split('\n')[0]?.slice(0, 300) ?? '';
  try {
    const parsed: unknown = JSON.parse(body);
    if (parsed && typeof parsed === 'object' && 'message' in parsed) message = String(parsed.message);
  } catch {
    // Not a Status: a proxy between here and the API server may answer in its own words.
  }
  const reason: FailureReason =
    status === 401
      ? 'unauthenticated'
      : status === 403
        ? admission.test(message)
          ? 'refused'
          : 'forbidden'
        : status === 404
          ? 'not-found'
          : status === 408 || status === 504
            ? 'timed-out'
            : status === 429 || status >= 500
              ? 'unreachable'
              : 'refused';
  // RBAC's refusal only repeats the rule; other refusals (Pod Security, a quota) have a reason of their own.
  const refused = status === 403 && /cannot (\w+) resource "([^"]+)"/.exec(message);
  if (refused) message = `not allowed to ${refused[1]} ${refused[2]}`;
  return { reason, what, why: message || `the API server answered ${status}`, status, rule };
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
