/** Tokens of an OpenID Connect provider that a kubeconfig keeps itself (`auth-provider: {name: oidc}`), renewed as kubectl renews them. */
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { dirname, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type CustomFetch, customFetch, discovery, refreshTokenGrant } from 'openid-client';
import { parseDocument } from 'yaml';
import { CannotRun } from '../catalog/cannot-run.ts';
import type { Chosen } from './kubeconfig.ts';

/** When a JSON Web Token runs out (RFC 7519, `exp`), in milliseconds since 1970; undefined where it does not say. */
export function runsOutAt(token: string): number | undefined {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : undefined;
  } catch {
    // Not every token is one of JSON.
    return undefined;
  }
}

/**
 * The id-token, or a new one where it has run out. A provider may accept a refresh-token once only, so what it gave out is
 * written back into the kubeconfig, where kubectl looks for it, too. Throws CannotRun with the field that is wrong.
 */
export async function oidcToken(user: Chosen['user'], settings: Record<string, string>): Promise<string> {
  const failed = (field: string, why: string, todo: string) =>
    new CannotRun(`"${field}" of user "${user.name}" (auth-provider oidc) in the kubeconfig ${user.file} ${why}; ${todo}.`);
  const token = settings['id-token'];
  if (!token) throw failed('id-token', 'is not there', 'log in again');
  const until = runsOutAt(token) ?? Infinity;
  if (until > Date.now()) return token;
  const ranOut = `ran out on ${new Date(until).toISOString()}`;
  const missing = ['refresh-token', 'client-id', 'idp-issuer-url'].find((field) => !settings[field]);
  if (missing) throw failed('id-token', `${ranOut} and there is no ${missing} to renew it with`, 'log in again');
  try {
    accessSync(user.file, constants.W_OK);
  } catch (error) {
    throw failed(
      'id-token',
      `${ranOut}, and a new one could not be kept there (${(error as NodeJS.ErrnoException).code})`,
      'make the file writable, or log in again',
    );
  }
  const { id_token: renewed, refresh_token: next } = await renewedBy(settings, dirname(user.file)).catch((error: unknown) => {
    const { message, cause } = error as Error;
    const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
    throw failed('id-token', `${ranOut}, and ${settings['idp-issuer-url']} did not renew it (${why.split('\n')[0]})`, 'log in again');
  });
  if (!renewed) throw failed('id-token', `${ranOut}, and ${settings['idp-issuer-url']} gave out no new one`, 'log in again');
  keep(user, { 'id-token': renewed, ...(next !== undefined && { 'refresh-token': next }) });
  return renewed;
}

/** Asks the provider (OpenID Connect Core 1.0, "Using Refresh Tokens"). client-node 2.0 cannot: it passes the issuer in a form that its library refuses. */
async function renewedBy(settings: Record<string, string>, folder: string) {
  const data = settings['idp-certificate-authority-data'];
  const path = settings['idp-certificate-authority'];
  const ca = data ? Buffer.from(data, 'base64') : path ? readFileSync(resolve(folder, path)) : undefined;
  const issuer = new URL(settings['idp-issuer-url'] ?? '');
  const provider = await discovery(issuer, settings['client-id'] ?? '', settings['client-secret'], undefined, ca && { [customFetch]: fetchWith(ca) });
  return refreshTokenGrant(provider, settings['refresh-token'] ?? '');
}

/** `fetch` that trusts an authority of the kubeconfig, which Node's own cannot be given. */
const fetchWith =
  (ca: Buffer): CustomFetch =>
  (url, { method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const outgoing = request(url, { method, headers, ca, ...(signal && { signal }) }, (answer) => {
        const given = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)]);
        buffer(answer).then((bytes) => resolve(new Response(bytes, { status: answer.statusCode ?? 0, headers: given })), reject);
      });
      outgoing.on('error', reject);
      // The request for a token is a form, the one for the provider's settings has no body (openid-client, CustomFetchOptions).
      outgoing.end(body instanceof URLSearchParams ? body.toString() : undefined);
    });

function keep(user: Chosen['user'], tokens: Record<string, string>): void {
  const document = parseDocument(readFileSync(user.file, 'utf8'));
  const { users } = document.toJS() as { users: { name?: string }[] };
  const at = users.findIndex((u) => u.name === user.name);
  for (const [field, token] of Object.entries(tokens)) document.setIn(['users', at, 'user', 'auth-provider', 'config', field], token);
  writeFileSync(user.file, document.toString({ lineWidth: 0 }));
}
