"""The content security policies of pages."""

import base64
import hashlib

from dyntemp.page.security import content_security_policy


def test_a_page_without_scripts_runs_none():
    assert "default-src 'none'; style-src 'unsafe-inline'" == content_security_policy()


def test_each_script_is_named_by_its_digest_once():
    digests = sorted(base64.b64encode(hashlib.sha256(text).digest()).decode() for text in (b"a()", b"b()"))

    assert (
        f"default-src 'none'; script-src 'sha256-{digests[0]}' 'sha256-{digests[1]}'; style-src 'unsafe-inline'; "
        "connect-src 'self'"
    ) == content_security_policy(["b()", "a()", "b()"], connect_src="'self'")
    assert "script-src 'none'" in content_security_policy([])
