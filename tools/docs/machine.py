# SPDX-License-Identifier: GPL-2.0-only
"""machine - the virtual machine that tools/docs/type types into.

A folder has its disk (disk.img), kernel (vmlinuz) and initrd. It boots from a
copy on write of the disk, and keeps its state after the boot, to which renew()
goes back. Root is logged in at hvc0, a user at hvc1; the kernel's console goes
to the file "console", what is typed and printed to DOCUMENT.log.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import terminal

BOOT_LIMIT = 900
TOP = Path(__file__).resolve().parents[2]


def accelerated():
    """KVM can exist as a file and still start no guest."""
    info = Path("/proc/cpuinfo").read_text("ascii", "replace")
    return (" svm " in info or " vmx " in info) and os.access("/dev/kvm", os.W_OK)


class Machine:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.sockets = Path(tempfile.mkdtemp())
        self.log = open(self.folder / "boot.log", "w", encoding="utf-8")
        self.terminals = {}
        self.process = None
        self.monitor = None
        self.seen = 0

    def command(self):
        kvm = accelerated()
        words = f"""qemu-system-x86_64 -nodefaults -no-reboot -display none
            -machine q35,accel={'kvm' if kvm else 'tcg'}
            -cpu {'host' if kvm else 'max'} -smp 2 -m 2G
            -kernel {self.folder}/vmlinuz -initrd {self.folder}/initrd
            -drive file={self.folder}/disk.qcow2,if=virtio
            -nic user,model=virtio-net-pci
            -chardev file,id=console,path={self.folder}/console
            -serial chardev:console
            -device virtio-rng-pci -device virtio-serial-pci
            -chardev socket,id=monitor,path={self.sockets}/monitor,server=on,wait=off
            -mon chardev=monitor,mode=control""".split()
        for name in ("hvc0", "hvc1"):
            words += ["-chardev", f"socket,id={name},path={self.sockets}/{name},"
                      "server=on,wait=off", "-device", f"virtconsole,chardev={name}"]
        # The emulated time stamp counter does not go back with the machine.
        clock = "" if kvm else " tsc=unstable clocksource=hpet"
        return words + ["-append", "root=/dev/vda rw console=ttyS0 loglevel=5"
                        " net.ifnames=0 no_timer_check" + clock]

    def __enter__(self):
        subprocess.run(
            f"qemu-img create -q -f qcow2 -F raw -b disk.img"
            f" {self.folder}/disk.qcow2".split(), check=True)
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL)
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()
        (self.folder / "disk.qcow2").unlink()
        for path in self.sockets.iterdir():
            path.unlink()
        self.sockets.rmdir()
        self.log.close()

    def connect(self, name):
        return terminal.connection(f"{self.sockets}/{name}", self.log, 60)

    def boot(self):
        """Yield (what was checked, what is wrong or None)."""
        try:
            self.monitor = self.connect("monitor")
            self.execute("qmp_capabilities")
            self.terminals = {"root": self.connect("hvc0"),
                              "user": self.connect("hvc1")}
            for each in self.terminals.values():
                each.prompt(BOOT_LIMIT)
        except terminal.Late as late:
            yield "the machine boots", f"{late}\n{self.kernel_log()[-2000:]}"
            return
        root = self.terminals["root"]
        root.type("systemctl is-system-running --wait", BOOT_LIMIT)
        yield "the machine boots", None
        status, said = root.type("test -c /dev/phi", 60)
        yield "systemd loads the module at boot", said if status else None
        self.ask("savevm booted")

    def ask(self, command):
        """A command of QEMU's monitor, which prints nothing when all is well."""
        self.execute("human-monitor-command", {"command-line": command})

    def execute(self, name, arguments=None):
        request = {"execute": name, "arguments": arguments or {}}
        self.monitor.send(json.dumps(request) + "\n")
        answer = None
        while answer is None:
            self.monitor.wait(lambda: "\n" in self.monitor.text, 300)
            line, _, self.monitor.text = self.monitor.text.partition("\n")
            reply = json.loads(line)
            answer = reply.get("return", reply.get("error"))
        if answer:
            raise terminal.Late(f"{arguments}: {answer}")

    def renew(self, doc):
        """Go back to the state after the boot; keep a log for the document."""
        self.log.close()
        name = doc.replace("/", "-") + ".log"
        self.log = open(self.folder / name, "w", encoding="utf-8")
        self.monitor.log = self.log
        self.execute("stop")
        self.ask("loadvm booted")
        for each in self.terminals.values():
            each.drain()
            each.log = self.log
        self.execute("cont")
        self.seen = len(self.kernel_log())

    def kernel_log(self):
        path = self.folder / "console"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def kernel_faults(self):
        """What tools/vm/klog finds in the console since renew()."""
        part = self.folder / "klog"
        part.write_text(self.kernel_log()[self.seen:], encoding="utf-8")
        done = subprocess.run([TOP / "tools/vm/klog", "scan", part], text=True,
                              stdout=subprocess.PIPE, check=False)
        return done.stdout
