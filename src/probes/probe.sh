#!/bin/sh
# The part of the probe script that every run shares: functions that make one connection each, with the tools that the image has.
# script.ts sets TRIES, LIMIT and KEY before it and adds one line for each task after it.
#   TRIES  how often a connection without an answer is tried
#   LIMIT  seconds for one connection; exported, because shells that are started here read it
#   KEY    a word of this run, not exported: what a server answers cannot pass for a record
# Each result is one record, written at once: SOH key STX id STX tool STX exit status STX milliseconds STX output ETX key.
# It runs in a POSIX shell (busybox sh, dash, bash) in a container that belongs to somebody else:
# every process that it starts is waited for, and nothing is written to a file.

# Without a reader it still waits for the processes that it started.
trap '' PIPE
export LIMIT

have() { command -v "$1" >/dev/null 2>&1; }
# Hundredths of a second since the node started (proc(5), /proc/uptime).
up() { read -r u _ </proc/uptime; f=1${u#*.}; echo $((${u%.*} * 100 + f - 100)); }
rec() { printf '\001%s\002%s\002%s\002%s\002%s\002%s\003%s' "$KEY" "$@" "$KEY"; }

# Ends process $1 after $2 seconds. It holds none of the pipes, or their reader would wait for its sleep. Each process is waited
# for by its parent: an orphan stays a zombie where the container's process 1 does not reap.
# A child that has only just begun can lose a TERM, because it still has this trap; KILL is not lost.
watch() { (b=$!; trap '[ "$!" = "$b" ] || kill -9 $!; wait; exit' TERM; sleep "$2" & wait $!; kill "$1") </dev/null >/dev/null 2>&1 & w=$!; }
unwatch() { kill "$w" 2>/dev/null; wait "$w" 2>/dev/null; }
within() { "$@" & p=$!; watch $p $((LIMIT + 1)); wait $p; c=$?; unwatch; return $c; }

# one ID TOOL COMMAND...: runs the command until it succeeds, is refused, or was tried TRIES times, and writes the record.
one() {
  i=$1; t=$2; shift 2; n=${TRIES:-1}
  while :; do
    s=$(up); o=$("$@" 2>&1 </dev/null); c=$?; e=$(up); n=$((n - 1))
    case "$c/$n" in 0/*|*/0) break ;; esac
    case "$o" in *efused*|*NXDOMAIN*) break ;; esac
  done
  rec "$i" "$t" "$c" "$(((e - s) * 10))" "$o"
}

# --- The tools of this image

NC=none
UDP=none
for u in bash python3 dig nslookup; do if have $u; then UDP=$u; break; fi; done
if have nc; then
  h=$(nc -h 2>&1; nc --help 2>&1)
  case "$h" in *-u*) UDP=nc ;; esac
  case "$h" in *BusyBox*) NC=nc_e ;; *-z*) NC=nc_z ;; *) NC=nc ;; esac
fi
TCP=none
if [ $NC != none ]; then TCP=$NC; else for t in bash python3 node perl curl wget; do if have $t; then TCP=$t; break; fi; done; fi
DNS=none
for d in dig nslookup getent python3 node curl; do if have $d; then DNS=$d; break; fi; done
HTTP=none
for h in curl python3 wget; do if have $h; then HTTP=$h; break; fi; done

# --- TCP: tcp ID ADDRESS PORT

# An IPv6 address as a URL has it.
host() { case "$1" in *:*) echo "[$1]" ;; *) echo "$1" ;; esac; }
# nc shows that the handshake was done; curl shows how long it took, and a reset after it.
peek() { have curl || return 0; curl -sv -o /dev/null -m 0.25 -w 'connected after %{time_connect} s' "telnet://$(host "$1"):$2" || return 0; }
c_nc_z() { within nc -z -v -w "$LIMIT" "$1" "$2" && peek "$1" "$2"; }
c_nc_e() { within nc -w "$LIMIT" "$1" "$2" -e true && peek "$1" "$2"; }
c_nc() { within nc -w "$LIMIT" "$1" "$2"; }
c_bash() { within bash -c "exec 3<>/dev/tcp/$1/$2 && { read -t 1 -n 1 <&3 || true; }"; }
c_python3() { within python3 -c "
import socket
s=socket.create_connection(('$1',$2),$LIMIT)
s.settimeout(0.25)
try: s.recv(1)
except socket.timeout: pass"; }
c_node() { within node -e "const s=require('net').connect($2,'$1',()=>process.exit(0));s.setTimeout(${LIMIT}000,()=>{console.log('timed out');process.exit(1)});s.on('error',e=>{console.log(e.code);process.exit(1)})"; }
# shellcheck disable=SC2016  # Perl expands these
c_perl() { within perl -MIO::Socket::INET -e 'IO::Socket::INET->new(PeerAddr=>$ARGV[0],PeerPort=>$ARGV[1],Timeout=>$ENV{LIMIT}) or die $@' "$1" "$2"; }
c_curl() { within curl -sv -o /dev/null --connect-timeout "$LIMIT" -m "${LIMIT}.4" -w 'connected after %{time_connect} s' "telnet://$(host "$1"):$2"; }
c_wget() { within wget -q -T "$LIMIT" -O /dev/null "http://$(host "$1"):$2/"; }
tcp() { case $TCP in none) rec "$1" none 127 0 '' ;; *) one "$1" $TCP "c_$TCP" "$2" "$3" ;; esac; }

# --- UDP: udp ID ADDRESS PORT

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
# A DNS question is a datagram like any other; the result is whether the port refuses it.
u_dig() { within dig +tries=1 +time=1 -p "$2" "@$1" k8s-doctor. ; }
u_nslookup() { within nslookup -timeout=1 -retry=1 -port="$2" k8s-doctor. "$1"; }
udp() { case $UDP in none) rec "$1" none 127 0 '' ;; *) one "$1" "$UDP" "u_$UDP" "$2" "$3" ;; esac; }

# --- Packets of full size: payload ID ADDRESS PORT ADDRESS:PORT-IN-HEXADECIMAL

# 8 KB do not fit into one packet, not even a jumbo frame. To a web server it is a question about itself, to others noise.
P=0123456789abcdef
for _ in 1 2 3 4 5 6 7 8 9; do P=$P$P; done
R=$(printf '\r')
BULK="OPTIONS * HTTP/1.0$R
User-Agent: k8s-doctor$R
X-Padding: $P$R
$R
"
# Each sends its input, and writes its own process id first, so that it can be ended if it hangs. A here-document would leave a
# process that nobody waits for.
# shellcheck disable=SC2016  # the inner shell expands these
s_nc() { sh -c 'echo $$; exec nc -w $LIMIT "$0" "$1"' "$@"; }
s_nc_e() { s_nc "$@"; }
s_nc_z() { s_nc "$@"; }
# shellcheck disable=SC2016
s_curl() { sh -c 'echo $$; exec curl -sN -m ${LIMIT}.5 "telnet://$0:$1"' "$@"; }
# shellcheck disable=SC2016
s_bash() { bash -c 'echo $$; exec 3<>"/dev/tcp/$0/$1"; IFS= read -r -d "" b; printf %s "$b" >&3; read -r -t $LIMIT -n 1 l <&3 && printf x' "$@"; }
# shellcheck disable=SC2016
s_python3() { sh -c 'echo $$; exec python3 -c "
import socket,sys
s=socket.create_connection((sys.argv[1],int(sys.argv[2])),1)
s.sendall(sys.stdin.buffer.read())
s.settimeout($LIMIT)
sys.stdout.write(chr(120)*len(s.recv(1)))" "$0" "$1"' "$@"; }
# The kernel shows how many bytes of a connection are not acknowledged yet (proc(5), /proc/net/tcp and tcp6: rem_address, st, tx_queue).
# A shell reads the file byte by byte, which takes seconds where a program holds thousands of connections.
pick() { f=/proc/net/tcp; case "$1" in ????????????????*) f=/proc/net/tcp6 ;; esac; if have grep; then grep -F " $1 " $f; else while IFS= read -r l; do echo "$l"; done <$f; fi; }
owed() {
  W=0; S=
  for x in $(pick "$1" | while read -r _ _ r st q _; do if [ "$r" = "$1" ] && [ "${q%:*}" != 00000000 ]; then echo "${q%:*}/$st"; fi; done); do W=${x%/*}; S=${x#*/}; done
}
payload() {
  case $TCP in nc*|curl|bash|python3) ;; *) rec "$1" none 127 0 ''; return ;; esac
  b=$(up)
  o=$(printf %s "$BULK" | "s_$TCP" "$2" "$3" 2>/dev/null | {
    read -r pid
    exec 3<&0
    back=$({ head -c 1 <&3 & h=$!; watch $h "$LIMIT"; wait $h; unwatch; } 2>/dev/null | wc -c)
    # Some programs answer before the question has arrived: what counts is that nothing stays unacknowledged, seen twice.
    n=0; k=0
    while :; do
      owed "$4"; n=$((n + 1))
      if [ "$W" = 0 ]; then k=$((k + 1)); else k=0; fi
      if [ $k = 2 ] || [ $n = 80 ]; then break; fi
      sleep 0.02 2>/dev/null || sleep 1
    done
    echo "owed $W in state $S, bytes back: $back"
    kill "$pid" 2>/dev/null
  })
  e=$(up)
  rec "$1" "$TCP" 0 "$(((e - b) * 10))" "$o"
}

# --- HTTP: http ID ADDRESS PORT SCHEME PATH HOST

url() { echo "$3://$(host "$1"):$2$4"; }
h_curl() { curl -skv -o /dev/null --connect-timeout "$LIMIT" -m "${LIMIT}.8" -H "Host: $5" -w '\nHTTP %{http_code} after %{time_total} s\n' "$(url "$1" "$2" "$3" "$4")" 2>&1 | grep -E '^HTTP [0-9]|subject:|refused|timed out|reset|SSL|No route|[Uu]nreachable|Empty reply'; }
h_wget() { within wget -S -q -T "$LIMIT" --header "Host: $5" -O /dev/null "$(url "$1" "$2" "$3" "$4")" 2>&1; }
h_python3() { within python3 -c "
import http.client,ssl,sys,time
h,p,s,t,n=sys.argv[1:6]
b=time.time()
c=http.client.HTTPSConnection(h,int(p),timeout=$LIMIT,context=ssl._create_unverified_context()) if s=='https' else http.client.HTTPConnection(h,int(p),timeout=$LIMIT)
c.request('GET',t,headers={'Host':n})
print('HTTP',c.getresponse().status,'after',time.time()-b,'s')" "$@"; }
http() { case $HTTP in none) rec "$1" none 127 0 '' ;; *) i=$1; shift; one "$i" $HTTP "h_$HTTP" "$@" ;; esac; }

# --- DNS: name ID NAME TYPE, and ask ID SERVER NAME TYPE +tcp|+notcp

c_dig() { within dig +tries=1 +time="$LIMIT" +noall +comments +answer "$1" "$2"; }
c_nslookup() { within nslookup -timeout="$LIMIT" -retry=1 -type="$2" "$1"; }
c_getent() { if [ "$2" = AAAA ]; then within getent ahostsv6 "$1"; else within getent ahostsv4 "$1"; fi; }
c_python3_name() { within python3 -c "import socket;print(chr(10).join(sorted({x[4][0] for x in socket.getaddrinfo('$1',None,socket.AF_INET6 if '$2'=='AAAA' else socket.AF_INET)})))"; }
c_node_name() { within node -e "require('dns').lookup('$1',{all:true,family:'$2'==='AAAA'?6:4},(e,a)=>{if(e){console.log(e.code);process.exit(1)}a.forEach(x=>console.log(x.address))})"; }
# curl prints the addresses of a name; from the loopback's address the connection itself cannot be made.
c_curl_name() { within curl -sv -o /dev/null --interface 127.0.0.1 -m "$LIMIT" "http://$1/"; c=$?; case $c in 6|28) return $c ;; *) return 0 ;; esac; }
name() { case $DNS in none) rec "$1" none 127 0 '' ;; python3|node|curl) one "$1" $DNS "c_${DNS}_name" "$2" "$3" ;; *) one "$1" $DNS "c_$DNS" "$2" "$3" ;; esac; }
FAILED=
# shellcheck disable=SC2034  # the lines after this script read it
resolved() { case "$c:$o" in 0:*"status: NOERROR"*"ANSWER SECTION"*) : ;; 0:*"status: "*) FAILED=1 ;; 0:*) : ;; *) FAILED=1 ;; esac; }
a_dig() { within dig +tries=2 +time=1 +noall +comments +answer "$4" "@$1" "$2" "$3"; }
a_nslookup() { within nslookup -timeout=1 -retry=1 -type="$3" "$2" "$1"; }
# nslookup asks over UDP only.
ask() { if have dig; then one "$1" dig a_dig "$2" "$3" "$4" "$5"; elif [ "$5" = +notcp ] && have nslookup; then one "$1" nslookup a_nslookup "$2" "$3" "$4"; else rec "$1" none 127 0 ''; fi; }

# --- What the container can spare

# Many processes at once take memory, some 150 kB each, which could cost the container's own program its life.
# $1...: files with the limit and the use of it, of cgroup v2 or v1.
left() {
  m=; u=
  for f in "$@"; do
    if [ -r "/sys/fs/cgroup/$f" ]; then if [ -z "$m" ]; then read -r m; else read -r u; fi <"/sys/fs/cgroup/$f"; fi
  done
  case "$m$u" in ''|*[!0-9]*) echo 999999999999 ;; *) echo $((m - u)) ;; esac
} 2>/dev/null
# The kernel counts cached file contents as used, and can free them at once.
cached() {
  c=0
  while read -r k v; do case "$k" in inactive_file) c=$v ;; total_inactive_file) c=$v; break ;; esac; done
  echo "$c"
}
MEMORY=$(left memory.max memory.current memory/memory.limit_in_bytes memory/memory.usage_in_bytes)
for f in memory.stat memory/memory.stat; do if [ -r /sys/fs/cgroup/$f ]; then MEMORY=$((MEMORY + $(cached </sys/fs/cgroup/$f))); fi; done
PIDS=$(left pids.max pids.current pids/pids.max pids/pids.current)
if [ "$MEMORY" -lt 8000000 ] || [ "$PIDS" -lt 40 ]; then exit; fi
FEW=
if [ "$MEMORY" -lt 48000000 ] || [ "$PIDS" -lt 300 ]; then FEW=1; fi
pause() { if [ -n "$FEW" ]; then wait; fi; }

# --- resolv.conf, and in D the cluster's domain that its search list names

r=; D=
while IFS= read -r l; do
  r="$r$l
"
  case "$l" in search*) for w in $l; do case "$w" in svc.*) D=${w#svc.} ;; esac; done ;; esac
done </etc/resolv.conf
rec resolv.conf sh 0 0 "$r"
D=${D%.}
