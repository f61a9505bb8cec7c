/**
 * One POSIX shell script does all probes of a run, in parallel, with what the image has. Each result is one record,
 * written at once: SOH id STX tool STX exit status STX milliseconds STX output ETX.
 */

export type Task =
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'udp'; host: string; port: number }
  /** Does what is sent over a connection get there, in packets of full size, and does anything come back? IPv4 only. */
  | { kind: 'payload'; host: string; port: number }
  /** One GET, under a name of the Service; a certificate is not checked, but told. */
  | { kind: 'http'; host: string; port: number; tls: boolean; name: string; path: string }
  /** With `domain` the name lies in the cluster's domain: that of resolv.conf's search list, else the one given here. */
  | { kind: 'name'; name: string; domain?: string; type: 'A' | 'AAAA' }
  /** The same of one server, over one transport; with `always` false, only where a name did not resolve. */
  | { kind: 'ask'; server: string; tcp: boolean; always: boolean; name: string; domain?: string; type: 'A' | 'AAAA' };

export interface Record {
  /** Index of the task; `resolv.conf` and `tools` are records of their own. */
  id: string;
  tool: string;
  exitCode: number;
  /** Wall time in milliseconds, in steps of 10 (what /proc/uptime tells). */
  ms: number;
  output: string;
}

/** How long one connection may take, in seconds. */
export const connectTimeoutS = 2;

const prelude = `
# Where nobody reads any more, it still waits for what it started.
trap '' PIPE
have() { command -v "$1" >/dev/null 2>&1; }
up() { read -r u _ </proc/uptime; f=1\${u#*.}; echo $((\${u%.*} * 100 + f - 100)); }
rec() { printf '\\001%s\\002%s\\002%s\\002%s\\002%s\\003' "$@"; }
# Ends process $1 after $2 seconds. It holds none of the pipes, or whoever reads them would wait for its sleep; and each process
# is waited for by the one that started it: what is orphaned here stays a zombie where the container's own process 1 reaps none.
# A child that has only just begun may lose a TERM, as it still has this trap; KILL is not lost.
watch() { (b=$!; trap '[ "$!" = "$b" ] || kill -9 $!; wait; exit' TERM; sleep $2 & wait $!; kill $1) </dev/null >/dev/null 2>&1 & w=$!; }
unwatch() { kill $w 2>/dev/null; wait $w 2>/dev/null; }
within() { "$@" & p=$!; watch $p ${connectTimeoutS + 1}; wait $p; c=$?; unwatch; return $c; }
one() {
  i=$1; t=$2; shift 2; n=\${TRIES:-1}
  while :; do
    s=$(up); o=$("$@" 2>&1 </dev/null); c=$?; e=$(up); n=$((n - 1))
    case "$c/$n" in 0/*|*/0) break ;; esac
    case "$o" in *efused*|*NXDOMAIN*) break ;; esac
  done
  rec "$i" "$t" "$c" "$(((e - s) * 10))" "$o"
}
NC=none
UDP=none
for u in bash python3 dig nslookup; do if have $u; then UDP=$u; break; fi; done
if have nc; then
  h=$(nc -h 2>&1; nc --help 2>&1)
  case "$h" in *-u*) UDP=nc ;; esac
  case "$h" in *BusyBox*) NC=nc_e ;; *-z*) NC=nc_z ;; *) NC=nc ;; esac
fi
TCP=none
if [ $NC != none ]; then TCP=$NC; elif have bash; then TCP=bash; elif have python3; then TCP=python3; elif have node; then TCP=node; elif have perl; then TCP=perl; elif have curl; then TCP=curl; elif have wget; then TCP=wget; fi
DNS=none
for d in dig nslookup getent python3 node curl; do if have $d; then DNS=$d; break; fi; done
# nc says whether the handshake was done; what came after it, and how long it took, curl tells better.
peek() { have curl || return 0; case "$1" in *:*) set -- "[$1]" "$2" ;; esac; curl -sv -o /dev/null -m 0.25 -w 'connected after %{time_connect} s' "telnet://$1:$2" || return 0; }
c_nc_z() { within nc -z -v -w ${connectTimeoutS} "$1" "$2" && peek "$1" "$2"; }
c_nc_e() { within nc -w ${connectTimeoutS} "$1" "$2" -e true && peek "$1" "$2"; }
c_nc() { within nc -w ${connectTimeoutS} "$1" "$2"; }
c_bash() { within bash -c "exec 3<>/dev/tcp/$1/$2 && { read -t 1 -n 1 <&3 || true; }"; }
c_python3() { within python3 -c "
import socket
s=socket.create_connection(('$1',$2),${connectTimeoutS})
s.settimeout(0.25)
try: s.recv(1)
except socket.timeout: pass"; }
c_node() { within node -e "const s=require('net').connect($2,'$1',()=>process.exit(0));s.setTimeout(${connectTimeoutS}000,()=>{console.log('timed out');process.exit(1)});s.on('error',e=>{console.log(e.code);process.exit(1)})"; }
c_perl() { within perl -MIO::Socket::INET -e 'IO::Socket::INET->new(PeerAddr=>"'"$1"'",PeerPort=>'"$2"',Timeout=>${connectTimeoutS}) or die $@'; }
c_curl() { case "$1" in *:*) set -- "[$1]" "$2" ;; esac; within curl -sv -o /dev/null --connect-timeout ${connectTimeoutS} -m ${connectTimeoutS}.4 -w 'connected after %{time_connect} s' "telnet://$1:$2"; }
c_wget() { case "$1" in *:*) set -- "[$1]" "$2" ;; esac; within wget -q -T ${connectTimeoutS} -O /dev/null "http://$1:$2/"; }
tcp() { case $TCP in none) rec "$1" none 127 0 '' ;; *) one "$1" $TCP c_$TCP "$2" "$3" ;; esac; }
u_nc() { echo k8s-doctor | nc -u -w 1 "$1" "$2"; }
u_bash() { within bash -c "exec 3<>/dev/udp/$1/$2 && echo k8s-doctor >&3 && sleep 0.3 && echo k8s-doctor >&3 && read -t 1 -n 1 <&3"; }
u_python3() { within python3 -c "
import socket
s=socket.socket(socket.AF_INET6 if ':' in '$1' else socket.AF_INET,socket.SOCK_DGRAM)
s.settimeout(1)
s.connect(('$1',$2))
s.send(b'k8s-doctor')
try: print('answer',len(s.recv(2048)))
except socket.timeout: pass"; }
# A DNS question is a datagram like any other; what matters is whether the port refuses it.
u_dig() { within dig +tries=1 +time=1 -p "$2" "@$1" k8s-doctor. ; }
u_nslookup() { within nslookup -timeout=1 -retry=1 -port="$2" k8s-doctor. "$1"; }
# More than fits into one packet, of jumbo frames as well; to a web server a question about itself, to others noise.
P=0123456789abcdef
for _ in 1 2 3 4 5 6 7 8 9; do P=$P$P; done
R=$(printf '\\r')
BULK="OPTIONS * HTTP/1.0$R
User-Agent: k8s-doctor$R
X-Padding: $P$R
$R
"
# Each sends what it reads, and begins with its own process id: what hangs has to be ended by it. A here-document would leave a
# process behind that nobody waits for.
s_nc() { sh -c 'echo $$; exec nc -w ${connectTimeoutS} "$0" "$1"' "$@"; }
s_nc_e() { s_nc "$@"; }
s_nc_z() { s_nc "$@"; }
s_curl() { sh -c 'echo $$; exec curl -sN -m ${connectTimeoutS}.5 "telnet://$0:$1"' "$@"; }
s_bash() { bash -c 'echo $$; exec 3<>"/dev/tcp/$0/$1"; IFS= read -r -d "" b; printf %s "$b" >&3; read -r -t ${connectTimeoutS} -n 1 l <&3 && printf x' "$@"; }
s_python3() { sh -c 'echo $$; exec python3 -c "
import socket,sys
s=socket.create_connection((sys.argv[1],int(sys.argv[2])),1)
s.sendall(sys.stdin.buffer.read())
s.settimeout(${connectTimeoutS})
sys.stdout.write(chr(120)*len(s.recv(1)))" "$0" "$1"' "$@"; }
# The kernel tells how many bytes of a connection nobody has acknowledged yet (proc(5), /proc/net/tcp: rem_address, st, tx_queue).
# A shell reads it byte by byte, which takes seconds where a program holds thousands of connections.
pick() { if have grep; then grep -F " $1 " /proc/net/tcp; else while IFS= read -r l; do echo "$l"; done </proc/net/tcp; fi; }
owed() {
  W=0; S=
  for x in $(pick "$1" | while read -r _ _ r st q _; do if [ "$r" = "$1" ] && [ "\${q%:*}" != 00000000 ]; then echo "\${q%:*}/$st"; fi; done); do W=\${x%/*}; S=\${x#*/}; done
}
payload() {
  case $TCP in nc*|curl|bash|python3) ;; *) rec "$1" none 127 0 ''; return ;; esac
  b=$(up)
  o=$(printf %s "$BULK" | s_$TCP "$2" "$3" 2>/dev/null | {
    read -r pid
    exec 3<&0
    back=$({ head -c 1 <&3 & h=$!; watch $h ${connectTimeoutS}; wait $h; unwatch; } 2>/dev/null | wc -c)
    # Some answer before they were asked: what counts is that nothing stays owed, seen twice.
    n=0; k=0
    while :; do
      owed "$4"; n=$((n + 1))
      if [ "$W" = 0 ]; then k=$((k + 1)); else k=0; fi
      if [ $k = 2 ] || [ $n = 80 ]; then break; fi
      sleep 0.02 2>/dev/null || sleep 1
    done
    echo "owed $W in state $S, bytes back: $back"
    kill $pid 2>/dev/null
  })
  e=$(up)
  rec "$1" "$TCP" 0 "$(((e - b) * 10))" "$o"
}
HTTP=none
for h in curl python3 wget; do if have $h; then HTTP=$h; break; fi; done
url() { case "$1" in *:*) echo "$3://[$1]:$2$4" ;; *) echo "$3://$1:$2$4" ;; esac; }
h_curl() { curl -skv -o /dev/null --connect-timeout ${connectTimeoutS} -m ${connectTimeoutS}.8 -H "Host: $5" -w '\nHTTP %{http_code} after %{time_total} s\n' "$(url "$1" "$2" "$3" "$4")" 2>&1 | grep -E '^HTTP [0-9]|subject:|refused|timed out|reset|SSL|No route|[Uu]nreachable|Empty reply'; }
h_wget() { within wget -S -q -T ${connectTimeoutS} --header "Host: $5" -O /dev/null "$(url "$1" "$2" "$3" "$4")" 2>&1; }
h_python3() { within python3 -c "
import http.client,ssl,sys,time
h,p,s,t,n=sys.argv[1:6]
b=time.time()
c=http.client.HTTPSConnection(h,int(p),timeout=${connectTimeoutS},context=ssl._create_unverified_context()) if s=='https' else http.client.HTTPConnection(h,int(p),timeout=${connectTimeoutS})
c.request('GET',t,headers={'Host':n})
print('HTTP',c.getresponse().status,'after',time.time()-b,'s')" "$@"; }
http() { case $HTTP in none) rec "$1" none 127 0 '' ;; *) i=$1; shift; one "$i" $HTTP h_$HTTP "$@" ;; esac; }
udp() { case $UDP in none) rec "$1" none 127 0 '' ;; *) one "$1" $UDP u_$UDP "$2" "$3" ;; esac; }
c_dig() { within dig +tries=1 +time=${connectTimeoutS} +noall +comments +answer "$1" "$2"; }
c_nslookup() { within nslookup -timeout=${connectTimeoutS} -retry=1 -type="$2" "$1"; }
c_getent() { if [ "$2" = AAAA ]; then within getent ahostsv6 "$1"; else within getent ahostsv4 "$1"; fi; }
c_python3_name() { within python3 -c "import socket;print(chr(10).join(sorted({x[4][0] for x in socket.getaddrinfo('$1',None,socket.AF_INET6 if '$2'=='AAAA' else socket.AF_INET)})))"; }
c_node_name() { within node -e "require('dns').lookup('$1',{all:true,family:'$2'==='AAAA'?6:4},(e,a)=>{if(e){console.log(e.code);process.exit(1)}a.forEach(x=>console.log(x.address))})"; }
# curl tells what a name led to; from the loopback's address the connection itself can't be made.
c_curl_name() { within curl -sv -o /dev/null --interface 127.0.0.1 -m ${connectTimeoutS} "http://$1/"; c=$?; case $c in 6|28) return $c ;; *) return 0 ;; esac; }
name() { case $DNS in none) rec "$1" none 127 0 '' ;; python3|node|curl) one "$1" $DNS c_\${DNS}_name "$2" "$3" ;; *) one "$1" $DNS c_$DNS "$2" "$3" ;; esac; }
FAILED=
resolved() { case "$c:$o" in 0:*"status: NOERROR"*"ANSWER SECTION"*) : ;; 0:*"status: "*) FAILED=1 ;; 0:*) : ;; *) FAILED=1 ;; esac; }
a_dig() { within dig +tries=2 +time=1 +noall +comments +answer $4 "@$1" "$2" "$3"; }
a_nslookup() { within nslookup -timeout=1 -retry=1 -type="$3" "$2" "$1"; }
# nslookup asks over UDP alone.
ask() { if have dig; then one "$1" dig a_dig "$2" "$3" "$4" "$5"; elif [ "$5" = +notcp ] && have nslookup; then one "$1" nslookup a_nslookup "$2" "$3" "$4"; else rec "$1" none 127 0 ''; fi; }
# A crowd of processes takes memory, some 150 kB each: of a container that has little left it could cost the program in it its life.
# $1: files with the limit and the use of it; what is there of cgroup v2 or v1.
left() {
  m=; u=
  for f in "$@"; do
    if [ -r "/sys/fs/cgroup/$f" ]; then if [ -z "$m" ]; then read -r m; else read -r u; fi <"/sys/fs/cgroup/$f"; fi
  done
  case "$m$u" in ''|*[!0-9]*) echo 999999999999 ;; *) echo $((m - u)) ;; esac
} 2>/dev/null
# What the kernel keeps of files it can let go of at once, and it counts as used.
cached() {
  c=0
  while read -r k v; do case "$k" in inactive_file) c=$v ;; total_inactive_file) c=$v; break ;; esac; done
  echo $c
}
MEMORY=$(left memory.max memory.current memory/memory.limit_in_bytes memory/memory.usage_in_bytes)
for f in memory.stat memory/memory.stat; do if [ -r /sys/fs/cgroup/$f ]; then MEMORY=$((MEMORY + $(cached </sys/fs/cgroup/$f))); fi; done
PIDS=$(left pids.max pids.current pids/pids.max pids/pids.current)
if [ "$MEMORY" -lt 8000000 ] || [ "$PIDS" -lt 40 ]; then exit; fi
FEW=
if [ "$MEMORY" -lt 48000000 ] || [ "$PIDS" -lt 300 ]; then FEW=1; fi
pause() { if [ -n "$FEW" ]; then wait; fi; }
r=; D=
while IFS= read -r l; do
  r="$r$l
"
  case "$l" in search*) for w in $l; do case "$w" in svc.*) D=\${w#svc.} ;; esac; done ;; esac
done </etc/resolv.conf
rec resolv.conf sh 0 0 "$r"
D=\${D%.}
`;

// Everything that gets into the script comes from the API server, and may hold anything.
const address = /^[0-9a-fA-F.:]+$/;
/** A path with its query, as RFC 3986 allows it, without the quote that would end a word of the shell. */
export const httpPath = /^\/[\w.~!$&()*+,;=:@%/?-]*$/;
const dnsName = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

const wholeName = (task: { name: string; domain?: string }) => `${task.name}${task.domain === undefined ? '' : `.\${D:-${task.domain}}`}.`;

/** An IPv4 address and port as /proc/net/tcp writes them on a little-endian machine: `0100007F:0050`; null for others. */
function procAddress(host: string, port: number): string | null {
  const bytes = host.split('.').map(Number);
  if (bytes.length !== 4) return null;
  const hex = (n: number, digits: number) => n.toString(16).toUpperCase().padStart(digits, '0');
  return `${bytes
    .toReversed()
    .map((b) => hex(b, 2))
    .join('')}:${hex(port, 4)}`;
}

/** One task as a line of the script; empty where it holds what can't be. */
function line(task: Task, id: number): string {
  if (task.kind === 'tcp' || task.kind === 'udp')
    return address.test(task.host) && Number.isInteger(task.port) ? `${task.kind} ${id} ${task.host} ${task.port} &` : '';
  if (task.kind === 'payload') {
    const hex = address.test(task.host) ? procAddress(task.host, task.port) : null;
    return hex === null ? '' : `payload ${id} ${task.host} ${task.port} ${hex} &`;
  }
  if (task.kind === 'http') {
    const fits = address.test(task.host) && dnsName.test(task.name) && httpPath.test(task.path);
    return fits ? `http ${id} ${task.host} ${task.port} ${task.tls ? 'https' : 'http'} '${task.path}' ${task.name} &` : '';
  }
  if (!dnsName.test(task.name) || !dnsName.test(task.domain ?? 'x')) return '';
  if (task.kind === 'name') return `name ${id} ${wholeName(task)} ${task.type}; resolved`;
  return address.test(task.server) ? `ask ${id} ${task.server} ${wholeName(task)} ${task.type} ${task.tcp ? '+tcp' : '+notcp'} &` : '';
}

/** So many connections at once where memory is short. */
const fewAtOnce = 4;

/** Connections and questions beside each other; then the names; then, where one did not resolve, what is asked only then. */
function lines(tasks: readonly Task[]): string {
  const of = (wanted: (t: Task) => boolean) => tasks.flatMap((t, i) => (wanted(t) ? [line(t, i)] : [])).filter(Boolean);
  const later = (t: Task) => t.kind === 'ask' && !t.always;
  const asks = of(later);
  const beside = of((t) => t.kind !== 'name' && !later(t));
  return [
    ...beside.flatMap((l, i) => (i % fewAtOnce === fewAtOnce - 1 ? [l, 'pause'] : [l])),
    ...of((t) => t.kind === 'name'),
    ...(asks.length > 0 ? ['if [ -n "$FAILED" ]; then', ...asks, ':; fi'] : []),
  ].join('\n');
}

export interface Patience {
  /** How often a connection that gets no answer is tried; network plug-ins take a moment to let a new pod through. */
  tries: number;
  /** Seconds to wait first; they take a moment to hold a new pod back, too. */
  settleS: number;
}

/** The script for these tasks. A task whose address or name is not one is left out, and so has no record. */
export const buildScript = (tasks: readonly Task[], { tries, settleS }: Patience): string =>
  `TRIES=${tries}\n${settleS > 0 ? `sleep ${settleS}\n` : ''}${prelude}\n${lines(tasks)}\nwait\n`;

/**
 * The script for connections that many pods of an indexed Job make at once: a few at a time, each pod beginning with
 * others, so that no endpoint meets all of them together.
 */
export function buildSpread(tasks: readonly (Task & { kind: 'tcp' | 'udp' })[], atOnce: number): string {
  const steps = tasks.map((t, i) => `${i}) ${line(t, i).replace(/ &$/, '') || ':'} ;;`);
  return `TRIES=2
${prelude}
step() { case $1 in
${steps.join('\n')}
esac; }
k=0
while [ $k -lt ${tasks.length} ]; do
  step $(((k + \${JOB_COMPLETION_INDEX:-0} * ${atOnce}) % ${tasks.length})) &
  k=$((k + 1))
  if [ $((k % ${atOnce})) = 0 ]; then wait; fi
done
wait
`;
}

/** Reads the records of a script's output; what is not a whole record is passed over. */
export function readRecords(output: string): Record[] {
  const found: Record[] = [];
  for (const part of output.split('\u0001').slice(1)) {
    const end = part.indexOf('\u0003');
    if (end < 0) continue;
    const [id, tool, exitCode, ms, ...rest] = part.slice(0, end).split('\u0002');
    found.push({ id: id ?? '', tool: tool ?? '', exitCode: Number(exitCode), ms: Number(ms), output: rest.join('\u0002') });
  }
  return found;
}
