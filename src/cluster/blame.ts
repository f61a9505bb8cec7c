/** Which field of the kubeconfig explains that the API server could not be reached, or did not accept the credentials. */
import { X509Certificate } from 'node:crypto';
import { fromError, noRule } from './failure.ts';
import { bytesOf } from './kubeconfig.ts';
import type { Login } from './login.ts';
import { runsOutAt } from './oidc.ts';

/** Node's and OpenSSL's names for a certificate that no known authority signed (Node documentation, "X509 certificate error codes"). */
const unsigned =
  /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|CERT_SIGNATURE_FAILURE|CERT_UNTRUSTED|INVALID_CA)$/;

const withoutPassword = (url: string): string => {
  const read = new URL(url);
  return `${read.protocol}//${read.host}`;
};

/** Why a connection failed, in a clause that names the field; undefined where no field has a part in it. */
export function blameOfError({ chosen: { cluster }, proxy }: Login, error: unknown): string | undefined {
  const err = error as { code?: string; message?: string; name?: string; cert?: { subjectaltname?: string } };
  const code = err.code ?? '';
  const where = `of cluster "${cluster.name}"`;
  const server = new URL(cluster.server);
  if (unsigned.test(code)) {
    const field = ['certificate-authority-data', 'certificate-authority'].find((f) => cluster[f as 'certificate-authority']);
    return field === undefined
      ? `no known authority signed the server's certificate, and "certificate-authority-data" ${where} is not set`
      : `"${field}" ${where} did not sign the server's certificate`;
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const asked = cluster['tls-server-name'] ?? server.hostname;
    return `the server's certificate is for ${err.cert?.subjectaltname?.slice(0, 200) ?? 'other names'}, not for ${asked}: "tls-server-name" ${where} ${cluster['tls-server-name'] ? 'is wrong' : 'is not set'}`;
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return `the certificate of "server" ${where} ${code === 'CERT_HAS_EXPIRED' ? 'has run out' : 'is not valid yet'}`;
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || /wrong version number|packet length too long/i.test(err.message ?? ''))
    return `"server" ${where} says https, and ${server.host} does not speak it`;
  if (proxy && err.name !== 'AbortError' && err.name !== 'TimeoutError') {
    const name = proxy.from === 'proxy-url' ? `"proxy-url" ${where}` : "the environment's proxy";
    return `${name}, ${withoutPassword(proxy.url)}, did not connect to ${server.host} (${fromError(error, '', noRule).why})`;
  }
  return undefined;
}

/** Why credentials were not accepted (401), in a clause that names the field. */
export function blameOfRefusal({ chosen: { user, context }, config }: Login): string {
  const sent = config.getCurrentUser();
  const whose = `of user "${user.name}"`;
  const since = (ms: number) => `ran out on ${new Date(ms).toISOString()}`;
  if (user.exec) return `what the plug-in "${user.exec.command}" gave out ("exec" ${whose}) is not accepted`;
  const field = user.tokenFile ? 'tokenFile' : user['auth-provider']?.name === 'oidc' ? 'id-token' : sent?.token ? 'token' : undefined;
  if (field !== undefined) {
    const until = sent?.token ? runsOutAt(sent.token) : undefined;
    return `"${field}" ${whose} ${until !== undefined && until < Date.now() ? since(until) : 'is not accepted'}`;
  }
  const certificate = bytesOf('client-certificate', user);
  if (certificate) {
    const until = Date.parse(new X509Certificate(certificate).validTo);
    return `"client-certificate" ${whose} ${until < Date.now() ? since(until) : 'is not accepted'}`;
  }
  if (user.username) return `"username" and "password" ${whose} are not accepted`;
  return user.name ? `user "${user.name}" has no token and no certificate` : `context "${context}" names no "user"`;
}
