"""A small network on one machine: namespaces, each with a separate address.

A bridge stands for the switch, a pair of virtual cards for each cable. Their counters
say what went over it, every byte.
"""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

__all__ = ["Network", "may_make_namespaces"]


def _ip(*arguments):
    subprocess.run(("ip", *arguments), check=True, capture_output=True)


def may_make_namespaces():
    """Say whether this process may make them: it takes root and iproute2."""
    if shutil.which("ip") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    name = f"skxmr-try-{os.getpid()}"
    try:
        _ip("netns", "add", name)
        _ip("netns", "delete", name)
    except subprocess.CalledProcessError:
        return False
    return True


class Network(contextlib.ExitStack):
    """Some namespaces on one bridge, from which all can be reached.

    Parameters
    ----------
    n_machines : int
    """

    def __init__(self, n_machines):
        super().__init__()
        # Names of interfaces have 15 characters at most.
        tag = f"{os.getpid() % 0x10000:x}"
        self.bridge = f"sk{tag}br"
        self.address = "10.213.77.1"
        self.machines = [f"sk{tag}m{i}" for i in range(n_machines)]

    def __enter__(self):
        super().__enter__()
        _ip("link", "add", self.bridge, "type", "bridge")
        self.callback(_ip, "link", "delete", self.bridge)
        _ip("address", "add", f"{self.address}/24", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")
        for i, machine in enumerate(self.machines):
            self._plug_in(machine, f"10.213.77.{10 + i}/24")
        return self

    def _plug_in(self, machine, address):
        _ip("netns", "add", machine)
        self.callback(_ip, "netns", "delete", machine)
        card = ("link", "add", f"{machine}a", "type", "veth", "peer", "name", "eth0")
        _ip(*card, "netns", machine)
        _ip("link", "set", f"{machine}a", "master", self.bridge, "up")
        _ip("-n", machine, "address", "add", address, "dev", "eth0")
        _ip("-n", machine, "link", "set", "eth0", "up")
        _ip("-n", machine, "link", "set", "lo", "up")

    def received(self):
        """Count the bytes that each machine has received."""
        return [
            int(
                Path(f"/sys/class/net/{machine}a/statistics/tx_bytes").read_text(
                    encoding="utf-8"
                )
            )
            for machine in self.machines
        ]

    def start(self, machine, *command):
        """Start a process on a machine; it ends with the network."""
        process = subprocess.Popen(
            ("ip", "netns", "exec", machine, *command),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.callback(process.wait)
        self.callback(process.kill)
        return process
