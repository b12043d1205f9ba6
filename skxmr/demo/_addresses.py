"""The addresses to listen at."""

from collections.abc import Collection

__all__ = ["LOOPBACK", "check_address"]

LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})


def check_address(host: str, port: int, remote: Collection[str]) -> frozenset[str]:
    """Check where to listen; return the names by which the server may be called.

    Raises
    ------
    ValueError
        If the port is none, or other machines could connect without being named.
    """
    if not 0 <= port < 1 << 16:
        raise ValueError(f"--port must be between 0 and 65535; got {port}")
    local = {name.strip("[]") for name in LOOPBACK}
    if host not in local and not remote:
        raise ValueError(
            f"--host {host} would let other machines connect: also pass the name by "
            f"which they reach this one, as --allow-remote NAME"
        )
    return LOOPBACK.union(remote)
