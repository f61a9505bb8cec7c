/** How Istio chooses the protocol of a Service port (Istio documentation, "Protocol Selection"). */

const http = ['http', 'http2', 'grpc', 'grpc-web', 'kubernetes.io/h2c', 'kubernetes.io/ws'];
const other = ['https', 'tcp', 'tls', 'mongo', 'mysql', 'redis', 'udp', 'kubernetes.io/wss'];

/** Whether a port is read as HTTP: by appProtocol, else by the beginning of its name; `maybe` where Istio finds out by the first bytes. */
export function isHttpPort({ name, appProtocol }: { name: string; appProtocol?: string | undefined }): boolean | 'maybe' {
  const declared = (appProtocol ?? (name.startsWith('grpc-web') ? 'grpc-web' : (name.split('-')[0] ?? ''))).toLowerCase();
  if (http.includes(declared)) return true;
  return other.includes(declared) ? false : 'maybe';
}
