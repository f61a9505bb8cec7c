/** How Istio chooses the protocol of a Service port (Istio documentation, "Protocol Selection"). */

const http = ['http', 'http2', 'grpc', 'grpc-web', 'kubernetes.io/h2c', 'kubernetes.io/ws'];
const other = ['https', 'tcp', 'tls', 'mongo', 'mysql', 'redis', 'udp', 'kubernetes.io/wss'];

/** What a port says of itself: by appProtocol, else by the beginning of its name; `maybe` where Istio finds out by the first bytes. */
function declares({ name, appProtocol }: { name: string; appProtocol?: string | undefined }): boolean | 'maybe' {
  const declared = (appProtocol ?? (name.startsWith('grpc-web') ? 'grpc-web' : (name.split('-')[0] ?? ''))).toLowerCase();
  if (http.includes(declared)) return true;
  return other.includes(declared) ? false : 'maybe';
}

/** Whether the proxies read what is sent to a port as HTTP; a request of `--http` is HTTP where they find out by themselves. */
export function isHttpPort(port: Parameters<typeof declares>[0], path: string | undefined): boolean | 'maybe' {
  const declared = declares(port);
  return declared === 'maybe' && path !== undefined ? true : declared;
}
