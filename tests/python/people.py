"""The people of the demo city, signed in: shared by the clients of this folder."""

import base64
import hashlib
import hmac
import json
import os
import struct
import time
import urllib.request

ACCOUNTS = json.load(open(os.environ["JINGQI_ACCOUNTS"], encoding="utf-8"))
SERVER = os.environ["JINGQI_LISTEN"]
SANDBOX = os.environ["JINGQI_WECHAT_BASE_URL"]


def sandbox(path, body):
    """Asks the stand-in for WeChat."""
    request = urllib.request.Request(
        SANDBOX + path,
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    return json.load(urllib.request.urlopen(request))


def login_code(user):
    """What wx.login gives."""
    return sandbox("/sandbox/login_codes", {"user": user})["code"]


def totp(secret, step):
    """RFC 6238 with SHA-1, as any authenticator app computes it."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", step), hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def totp_now(secret):
    """The code of the present step."""
    return totp(secret, int(time.time()) // 30)


def bearer(token):
    """The metadata of a call."""
    return [("authorization", f"Bearer {token}")]


def expect(condition, text):
    """Fails with a sentence."""
    if not condition:
        raise SystemExit(f"FAILED: {text}")
    print(f"  ok: {text}")
