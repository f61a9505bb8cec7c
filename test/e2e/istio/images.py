"""Packs Istio's two images as docker-archive tarballs, from programs that were built here: usage: images.py OUT_DIR BIN_DIR BOOTSTRAP TAG"""
import hashlib, io, json, os, shutil, subprocess, sys, tarfile

out, bins, bootstrap, tag = sys.argv[1:5]


def libraries(program):
    found = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return [w for line in found.splitlines() for w in line.split() if w.startswith("/")]


def pack(name, files, links, entrypoint, user="0"):
    """files: path in the image -> path here; links: path in the image -> what it means."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as t:
        for folder in ("tmp", "etc", "var/run", "var/lib/istio", "proc", "sys", "dev"):
            info = tarfile.TarInfo(folder); info.type = tarfile.DIRTYPE; info.mode = 0o1777 if folder == "tmp" else 0o755; t.addfile(info)
        passwd = b"root:x:0:0:root:/root:/bin/sh\nistio-proxy:x:1337:1337::/tmp:/bin/false\n"
        info = tarfile.TarInfo("etc/passwd"); info.size = len(passwd); t.addfile(info, io.BytesIO(passwd))
        for path, source in sorted(files.items()):
            info = t.gettarinfo(os.path.realpath(source), path.lstrip("/")); info.mode = 0o755; info.uid = info.gid = 0
            with open(os.path.realpath(source), "rb") as f: t.addfile(info, f)
        for path, target in links.items():
            info = tarfile.TarInfo(path); info.type = tarfile.SYMTYPE; info.linkname = target; t.addfile(info)
    data = layer.getvalue()
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"User": user, "Entrypoint": entrypoint, "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(data).hexdigest()]}}).encode()
    digest = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": digest, "RepoTags": [f"docker.io/istio/{name}:{tag}"], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(f"{out}/{name}.tar", "w") as t:
        for n, content in ((digest, config), ("layer.tar", data), ("manifest.json", manifest)):
            info = tarfile.TarInfo(n); info.size = len(content); t.addfile(info, io.BytesIO(content))


def with_libraries(programs):
    files = dict(programs)
    for source in programs.values():
        for library in libraries(os.path.realpath(source)): files[library] = library
    return files


os.makedirs(out, exist_ok=True)
pack("pilot", {"usr/local/bin/pilot-discovery": f"{bins}/pilot-discovery"}, {}, ["/usr/local/bin/pilot-discovery"], "1337")
path = "/usr/sbin:/usr/bin:/sbin:/bin"
proxy = with_libraries({"usr/local/bin/pilot-agent": f"{bins}/pilot-agent", "usr/local/bin/envoy": f"{bins}/envoy-for-istio",
                        "usr/bin/xtables": shutil.which("iptables", path=path), "bin/busybox": shutil.which("busybox", path=path)})
# The matches and targets that iptables loads by name.
modules = "/usr/lib/x86_64-linux-gnu/xtables"
for module in os.listdir(modules):
    proxy[f"{modules}/{module}"] = f"{modules}/{module}"
    for library in libraries(f"{modules}/{module}"): proxy[library] = library
proxy["var/lib/istio/envoy/envoy_bootstrap_tmpl.json"] = bootstrap
names = [a + b for a in ("iptables", "ip6tables") for b in ("", "-save", "-restore")]
names += [n.replace("tables", "tables-nft") for n in names]
pack("proxyv2", proxy, {**{f"usr/bin/{n}": "xtables" for n in names}, "bin/sh": "busybox"}, ["/usr/local/bin/pilot-agent"])
