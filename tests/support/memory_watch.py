"""What a script says first that is to print the memory it takes at its peak.

Memory that no file backs, seen every millisecond: files that are mapped do not count,
and nobody can lose a moment in which a kernel runs, which lets other threads in.
"""

import subprocess
import sys

__all__ = ["printed_by"]

WATCH = """
import sys, threading, time

def anonymous():
    with open("/proc/self/status") as file:
        return 1024 * next(int(l.split()[1]) for l in file if l.startswith("RssAnon"))

class Watch:
    def __enter__(self):
        self.before = self.peak = anonymous()
        self.done = False
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self):
        while not self.done:
            self.peak = max(self.peak, anonymous())
            time.sleep(0.001)

    def __exit__(self, *error):
        self.done = True
        self.thread.join()
        self.added = self.peak - self.before
"""


def printed_by(script, *arguments):
    """Run a script that may use `Watch`; give the integers it prints."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH + script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return tuple(map(int, done.stdout.split()))
