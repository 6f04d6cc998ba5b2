# SPDX-License-Identifier: GPL-2.0-only
"""terminal - type into shells, and read what they print.

A shell that has read tools/docs/prompt prints "<typed STATUS>" before each of
its prompts, with the exit status of the command before.
"""

import os
import pty
import re
import select
import signal
import socket
import subprocess
import time

PROMPT = re.compile(r"<typed (\d+)>\n")
QUESTION = "[Y/n] "


class Late(Exception):
    """Something did not happen within its time."""


def seconds():
    """Those that the machine gave, where tools/vm/guard counts them."""
    clock = os.environ.get("PHI_CLOCK")
    if not clock:
        return time.monotonic()
    try:
        with open(clock, encoding="ascii") as f:
            return float(f.read() or 0)
    except FileNotFoundError:
        return 0.0


class Terminal:
    """One shell at the other end of a descriptor; what it prints goes to a
    log, too."""

    def __init__(self, fd, log):
        self.fd = fd
        self.log = log
        self.text = ""

    def read(self, period=1.0):
        """Append what comes within the period; False at the end."""
        if not select.select([self.fd], [], [], period)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        text = data.decode("utf-8", "replace").replace("\r", "")
        self.text += text
        self.log.write(text)
        self.log.flush()
        if self.text.endswith(QUESTION):
            self.text += "\n"
            self.send("y\n")
        return bool(data)

    def send(self, text):
        data = text.encode()
        while data:
            data = data[os.write(self.fd, data):]

    def wait(self, found, limit):
        """Read until found() says so, at most so many seconds."""
        start = seconds()
        while not found():
            if not self.read():
                raise Late("the shell is gone")
            if seconds() - start > limit:
                raise Late(f"not done after {limit} s")

    def prompt(self, limit):
        """Take the text before the next prompt; return its status."""
        self.wait(lambda: PROMPT.search(self.text), limit)
        match = PROMPT.search(self.text)
        self.before, self.text = (self.text[:match.start()],
                                  self.text[match.end():])
        return int(match[1])

    def type(self, text, limit):
        """Type a command; return (status, output)."""
        self.log.write(f"\n>>> {text}\n")
        self.send(text + "\n")
        return self.prompt(limit), self.before

    def drain(self):
        """Forget what was printed."""
        while select.select([self.fd], [], [], 0)[0] and self.read():
            pass
        self.text = ""

    def interrupt(self):
        """End the command that runs, so that another can be typed."""
        self.send("\x03")
        try:
            self.prompt(30)
        except Late:
            self.log.write("\nthe command does not end\n")


def program(command, log, **more):
    """A program on a terminal of its own: (Terminal, process)."""
    # A shell script that starts this in the background has SIGINT ignored, and
    # then no command could be interrupted.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs,
                               stderr=theirs, start_new_session=True, **more)
    os.close(theirs)
    return Terminal(ours, log), process


def connection(path, log, limit):
    """The terminal behind a socket, which a machine makes as it starts."""
    start = seconds()
    while True:
        peer = socket.socket(socket.AF_UNIX)
        try:
            peer.connect(path)
            break
        except OSError as error:
            peer.close()
            if seconds() - start > limit:
                raise Late(f"{path}: {error}") from error
            time.sleep(0.2)
    return Terminal(peer.detach(), log)
