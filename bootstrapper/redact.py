"""Secrets taken out of text that was written by others: kubeadm's, kubelet's and API servers' words.

Our own messages hold none. What others print goes through here before it is shown or kept.
"""

from __future__ import annotations

import re

PLACE = "[secret removed]"

#: What to look for; a group named `keep` stays.
_SECRETS = tuple(
    re.compile(pattern, re.DOTALL | re.IGNORECASE)
    for pattern in (
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        r"(?P<keep>\b(client-key-data|key-data|tls\.key|password|passwd|secret_access_key|secretkey|certificate-key"
        r"|token)[\"']?\s*[:=]\s*[\"']?)[^\s\"',;}]+",
        r"(?P<keep>\b(--token|--certificate-key|bearer)\s+)[^\s\"']+",
        r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b",  # a kubeadm bootstrap token
        r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}",  # a JSON web token (RFC 7519)
        r"(?P<keep>://)[^/\s:@]+:[^/\s@]+(?=@)",  # user and password in a URL (RFC 3986, 3.2.1)
    )
)


def redact(text: str) -> str:
    """The text without what looks like a secret."""
    for secret in _SECRETS:
        text = secret.sub(lambda found: (found.groupdict().get("keep") or "") + PLACE, text)
    return text
