#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""blobs.py PROGRAM OUT [WHAT...]: the blob store beside its rivals.

PROGRAM is blobs, built from blobs.c. Measures in OUT/blobs, a folder that is
made and removed, and writes OUT/blobs.md. WHAT is a part of the name of a
figure, to measure only some.
"""

import os
import shutil
import subprocess
import sys
import time

ROUNDS = int(os.environ.get("BENCH_VDFS_ROUNDS", "3"))
MIB = 1 << 20
# size, count, threads
LOADS = ((4096, 4000, 1), (4096, 40000, 32), (MIB, 256, 1), (1024 * MIB, 1, 1))
TREES = "/usr/src"
ENGINES = ("vdfs", "fsync", "git", "restic", "borg")
HEAD = """## Blobs

On the disk where the source is. Put is durable everywhere: `vdfs` through the
library, as the daemon does it; `fsync` is the plain way, a file a blob, synced,
renamed, its directory synced, which knows no hash and shares nothing; `git
hash-object -w` in one process; `restic backup` and `borg create` of the folder
of those files, which acknowledge once, for all. Contents are random, so nothing
gets smaller; git, restic and borg try all the same, as they do by default. Get
is out of the page cache; only `fsync` checks nothing. Best of {rounds} rounds
that take turns, of one with 512 MiB and more. Ratios are to `fsync`.
"""
ENV = dict(os.environ, RESTIC_PASSWORD="bench", BORG_BASE_DIR="/tmp/borg",
           BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes",
           GIT_CONFIG_NOSYSTEM="1", HOME="/tmp")
GIT = ("git", "-c", "core.fsync=all", "-c", "gc.auto=0",
       "-c", "safe.directory=*")


def run(*cmd, cwd=None, stdin=None):
    """Run @cmd and return its output; stop everything if it fails."""
    done = subprocess.run(cmd, cwd=cwd, env=ENV, stdin=stdin, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"blobs.py: {' '.join(cmd)}: "
                 f"{done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace")


def timed(*cmd, **more):
    """Return the seconds that @cmd takes."""
    start = time.monotonic()
    run(*cmd, **more)
    return time.monotonic() - start


def taken(path):
    """Return the bytes of the disk that all below @path takes."""
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            total += os.lstat(os.path.join(folder, name)).st_blocks * 512
    return total


class Git:
    """One process for all files; each object is synced."""

    def __init__(self, repo):
        self.repo = repo
        run("git", "init", "-q", "--bare", repo)

    def _batch(self, lines, *cmd):
        with open(self.repo + ".list", "w+", encoding="utf-8") as f:
            f.writelines(line + "\n" for line in lines)
            f.seek(0)
            return timed(*GIT, f"--git-dir={self.repo}", *cmd, stdin=f)

    def put(self, source):
        names = sorted(os.listdir(source))
        return self._batch([f"{source}/{n}" for n in names],
                           "hash-object", "-w", "--stdin-paths")

    def get(self, _):
        hashes = run(*GIT, f"--git-dir={self.repo}", "cat-file",
                     "--batch-all-objects",
                     "--batch-check=%(objectname)").split()
        return self._batch(hashes, "cat-file", "--batch", "--buffer")

    def tree(self, folders):
        for folder in folders:
            run(*GIT, f"--git-dir={self.repo}", f"--work-tree={folder}",
                "add", "-A", cwd=folder)
            tree = run(*GIT, f"--git-dir={self.repo}", "write-tree").strip()
            run(*GIT, f"--git-dir={self.repo}", "update-ref",
                f"refs/trees/{tree}", tree)

    def pack(self):
        """Deltas, which it makes when it has time."""
        run(*GIT, f"--git-dir={self.repo}", "gc", "-q", "--prune=now")


class Restic:
    """Backs up a folder, unpacks it again."""

    def __init__(self, repo):
        self.cmd = ("restic", "-q", "--no-cache", "-r", repo)
        run(*self.cmd, "init")

    def put(self, source):
        return timed(*self.cmd, "backup", source)

    def get(self, target):
        return timed(*self.cmd, "restore", "latest", "--target", target)

    def tree(self, folders):
        for folder in folders:
            self.put(folder)


class Borg:
    """The same; without encryption, which the others do not have."""

    def __init__(self, repo):
        self.repo, self.archives = repo, 0
        run("borg", "init", "-e", "none", repo)

    def put(self, source):
        self.archives += 1
        return timed("borg", "create", f"{self.repo}::a{self.archives}",
                     source)

    def get(self, target):
        os.makedirs(target)
        return timed("borg", "extract", f"{self.repo}::a{self.archives}",
                     cwd=target)

    def tree(self, folders):
        for folder in folders:
            self.put(folder)


RIVALS = {"git": Git, "restic": Restic, "borg": Borg}


class Bench:
    """Where it all happens."""

    def __init__(self, program, out):
        self.program, self.room = os.path.abspath(program), f"{out}/blobs"
        self.room = os.path.abspath(self.room)

    def fresh(self):
        """Empty the room."""
        shutil.rmtree(self.room, ignore_errors=True)
        os.makedirs(self.room)

    def load(self, size, count, threads):
        """Return {engine: (seconds to put, to get)}, the best of rounds."""
        best = {}
        names = ENGINES if threads == 1 else ENGINES[:2]
        for _ in range(ROUNDS if size * count < 512 * MIB else 1):
            self.fresh()
            source = f"{self.room}/fsync"
            # The plain files come first: the rivals read them.
            for name in sorted(names, key=lambda n: n != "fsync"):
                repo = f"{self.room}/{name}"
                if name in RIVALS:
                    rival = RIVALS[name](repo)
                    got = rival.put(source), rival.get(f"{self.room}/back")
                    shutil.rmtree(f"{self.room}/back", ignore_errors=True)
                else:
                    got = [float(run(self.program, way, name, repo, str(size),
                                     str(count), str(threads)))
                           for way in ("put", "get")]
                best[name] = [min(x) for x in zip(got, best.get(name, got))]
        return best

    def dedup(self, folders):
        """Return {way: bytes} of what the folders take in each engine."""
        self.fresh()
        out = {"plain files": sum(taken(f) for f in folders)}
        for zstd in (0, 3):
            repo = f"{self.room}/vdfs{zstd}"
            run(self.program, "tree", repo, str(zstd), *folders)
            out["vdfs, zstd 3" if zstd else "vdfs"] = taken(repo)
        for name, rival in RIVALS.items():
            repo = f"{self.room}/{name}"
            engine = rival(repo)
            engine.tree(folders)
            out[name] = taken(repo)
            if name == "git":
                engine.pack()
                out["git gc"] = taken(repo)
        return out


def load_table(size, count, threads, best):
    """Return a table of one load."""
    unit = (f"{size // MIB} MiB" if size >= MIB else f"{size // 1024} KiB")
    lines = [f"{count} of {unit}, {threads} "
             f"thread{'s' * (threads > 1)}:", "",
             "| store | put /s | put MB/s | ratio | get /s | get MB/s "
             "| ratio |", "|---|" + "---:|" * 6]
    for name, (put, get) in best.items():
        row = [f"`{name}`"]
        for took, base in ((put, best["fsync"][0]), (get, best["fsync"][1])):
            row += [f"{count / took:.0f}" if count > 1 else "-",
                    f"{count * size / took / 1000000:.0f}",
                    f"{base / took:.2f}"]
        lines.append("| " + " | ".join(row) + " |")
    return lines + [""]


def versions():
    """Return the folders of headers of two kernels, or none."""
    found = sorted(os.path.join(TREES, d) for d in os.listdir(TREES)
                   if d.startswith("linux-headers") and d.endswith("common"))
    return found[:2] if len(found) > 1 else []


def dedup_table(what, sizes):
    """Return a table of what a tree takes."""
    plain = sizes["plain files"]
    lines = [f"{what}:", "", "| store | MB on the disk | of the plain files |",
             "|---|---:|---:|"]
    for name, size in sizes.items():
        lines.append(f"| {name} | {size / 1000000:.1f} "
                     f"| {size / plain:.2f} |")
    return lines + [""]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.splitlines()[0])
    bench, want = Bench(*sys.argv[1:3]), sys.argv[3:]
    lines = HEAD.format(rounds=ROUNDS).splitlines() + [""]

    def wanted(name):
        return not want or any(w in name for w in want)

    for size, count, threads in LOADS:
        if wanted(f"{size}x{count}x{threads}"):
            print(f"== {count} of {size} bytes, {threads} threads", flush=True)
            lines += load_table(size, count, threads,
                                bench.load(size, count, threads))
            print("\n".join(lines[-10:]), flush=True)
    folders = versions()
    if folders and wanted("tree"):
        print("== " + " ".join(folders), flush=True)
        names = " and ".join(os.path.basename(f) for f in folders)
        lines += dedup_table(f"{names}, a blob a file", bench.dedup(folders))
        tars = []
        for i, folder in enumerate(folders):
            tars.append(f"{sys.argv[2]}/tar{i}")
            os.makedirs(tars[i], exist_ok=True)
            run("tar", "--sort=name", "--mtime=@0", "-cf",
                f"{tars[i]}/tree.tar", "-C", folder, ".")
        lines += dedup_table("The same as two tar files",
                             bench.dedup([os.path.abspath(t) for t in tars]))
        for tar in tars:
            shutil.rmtree(tar)
    shutil.rmtree(bench.room, ignore_errors=True)
    path = os.path.join(sys.argv[2], "blobs.md")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines))
    print(f"bench-vdfs: {path}")


if __name__ == "__main__":
    main()
