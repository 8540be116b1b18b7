"""HTTP authentication (RFC 9110 section 11): credentials and challenges → header values.

No I/O but for the netrc file; who is told what, and how often, is the engine's business.
"""

from __future__ import annotations

from tieline.auth.challenges import Challenge as Challenge
from tieline.auth.credentials import Basic as Basic
from tieline.auth.credentials import Bearer as Bearer
from tieline.auth.digest import Digest as Digest

#: What an `auth` option may hold, and a callable give.
Credentials = Basic | Bearer | Digest
