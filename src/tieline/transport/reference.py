"""The path and query of a base and of a reference to it → those of the target (RFC 3986 5.2).

`urllib.parse.urljoin` drops empty segments on the way, which some servers give a meaning to, and
leaves the dots of an absolute reference as they are.
"""

from __future__ import annotations


def resolve(base: str, path: str, query: str | None) -> tuple[str, str | None]:
    """`base` is a request target; a reference without a path and query is the base itself."""
    base_path, mark, base_query = base.partition("?")
    if not path:
        path = base_path
        if query is None and mark:
            query = base_query
    elif not path.startswith("/"):
        path = base_path.rpartition("/")[0] + "/" + path
    return remove_dot_segments(path), query


def remove_dot_segments(path: str) -> str:
    """Section 5.2.4, for a path that begins with a slash, or is empty."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
