from collections.abc import Iterator
from typing import Any

def gather(iterator: Iterator[Any], run: list[Any], longest: int, seconds: float) -> bool: ...
