from typing import Any

# The modules of this package are compiled.
def __getattr__(name: str) -> Any: ...
