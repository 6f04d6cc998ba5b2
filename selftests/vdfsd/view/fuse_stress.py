#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""fuse_stress DIR SECONDS SEED - what is read is always what somebody wrote.

Processes read a few files while one writes them in place and others put new
ones in their place. Each content begins with the hash of the rest.
"""
import hashlib
import os
import random
import sys
import time
import traceback

root, seconds, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
names = [os.path.join(root, "f%d" % i) for i in range(4)]

def content(r):
    body = r.randbytes(r.choice([0, 10, 5000, 70000, 300000]))
    return hashlib.sha256(body).hexdigest().encode() + body

def check(data, what):
    good = len(data) >= 64 and hashlib.sha256(data[64:]).hexdigest().encode() == data[:64]
    assert good, "%s: %d bytes that nobody wrote" % (what, len(data))

def child(me):
    r = random.Random(seed * 100 + me)
    end = time.time() + seconds
    while time.time() < end:
        name = r.choice(names)
        what = r.randrange(6)
        # Two who write one file in place see each other's half.
        if what == 0 and me == 0:
            with open(name, "wb", 0) as f:
                data = content(r)
                half = r.randrange(len(data))
                f.write(data[:half])
                f.write(data[half:])
        elif what == 1:
            tmp = name + ".%d" % me
            with open(tmp, "wb") as f:
                f.write(content(r))
            os.rename(tmp, name)
        elif what == 2:
            with open(name, "rb", 0) as f:
                os.stat(name)
                data = f.read()
                check(data, name)
                f.seek(0)
                assert f.read() == data, "it changed under a reader"
        else:
            with open(name, "rb") as f:
                check(f.read(), name)
    os._exit(0)

r = random.Random(seed)
for name in names:
    with open(name, "wb") as f:
        f.write(content(r))
pids = []
for i in range(6):
    pid = os.fork()
    if not pid:
        try:
            child(i)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    pids.append(pid)
sys.exit(any([os.waitpid(p, 0)[1] for p in pids]))
