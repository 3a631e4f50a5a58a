"""Values of the formats that are Gantry's own, where a pattern does not say all."""

import schemathesis
from hypothesis import strategies as st

schemathesis.openapi.format(
    "title", st.from_regex(r"\A[A-Za-z0-9]([ -~]{0,40}[A-Za-z0-9])?\Z")
)


@schemathesis.serializer("application/x-tar")
def tar(_context, value):
    """Files of a sandbox: bytes as they are, which are hardly ever a tar, and must be refused then."""
    return value if isinstance(value, bytes) else str(value).encode()
