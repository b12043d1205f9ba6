"""Inventories of other projects, from texts kept in the repository.

Sphinx reads which page of another project documents which name from an inventory, which
is a compressed text. Ours list the names that we refer to and no others, so that
building needs no network.
"""

import zlib
from pathlib import Path

HEADER = "# Sphinx inventory version 2\n# Project: {}\n# Version: \n"
COMPRESSED = "# The remainder of this file is compressed using zlib.\n"


def compress_inventories(sources: Path, target: Path) -> dict[str, tuple[str, str]]:
    """Write an inventory for each text, and return Sphinx's ``intersphinx_mapping``.

    The first line of a text is the address of the project's pages. Each of the others
    is a line of Sphinx's inventory: name, role, priority, place, title; in the place,
    ``$`` stands for the name, and the title ``-`` for the name, too.
    """
    target.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for source in sorted(sources.glob("*.txt")):
        address, *entries = source.read_text("utf-8").splitlines()
        body = zlib.compress(("\n".join(entries) + "\n").encode())
        inventory = target / f"{source.stem}.inv"
        head = HEADER.format(source.stem) + COMPRESSED
        inventory.write_bytes(head.encode() + body)
        mapping[source.stem] = (address, str(inventory))
    return mapping
