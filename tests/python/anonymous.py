"""An anonymous report leaves no trace of who sent it (I21): not in PostgreSQL's files, its journal or
its log, not in Redis, not in the server's own log at its most talkative. The reporter here does
everything wrong: a token, a trace id, a telephone number and a name of the device go with the call,
from an address of its own. Then the same search after an ordinary call, which must find them."""

import base64
import json
import os
import secrets
import socket
import threading
import urllib.parse
import urllib.request

import grpc
from jingqi.v1 import conduct_report_service_pb2 as con
from jingqi.v1 import conduct_report_service_pb2_grpc as con_grpc
from jingqi.v1 import identity_service_pb2 as idn
from jingqi.v1 import identity_service_pb2_grpc as idn_grpc

from people import SERVER, bearer, expect, login_code

# Any address of the loopback net reaches the server; nobody else in this run comes from this one.
ADDRESS = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(200) + 20}.77"
TRACE = secrets.token_hex(16)
AGENT = f"agent-{secrets.token_hex(6)}"
PHONE = f"139{secrets.randbelow(10**8):08d}"
PLACES = [place for place in os.environ["JINGQI_SEARCHED"].split(":") if place]


def relay():
    """Hands bytes on to the server from the canary address; gives where it listens."""
    host, port = SERVER.rsplit(":", 1)
    door = socket.create_server(("127.0.0.1", 0))

    def pump(source, sink):
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
        except OSError:
            pass
        sink.close()

    def accept():
        while True:
            guest, _ = door.accept()
            server = socket.create_connection((host, int(port)), source_address=(ADDRESS, 0))
            for pair in ((guest, server), (server, guest)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return f"127.0.0.1:{door.getsockname()[1]}"


def redis_dump():
    """Every key of Redis with its value, as bytes."""
    url = urllib.parse.urlparse(os.environ.get("REDIS_URL", ""))
    if not url.hostname:
        return b""
    link = socket.create_connection((url.hostname, url.port or 6379))
    lines = link.makefile("rb")

    def ask(*words):
        parts = [word if isinstance(word, bytes) else word.encode() for word in words]
        link.sendall(b"*%d\r\n" % len(parts))
        for part in parts:
            link.sendall(b"$%d\r\n%b\r\n" % (len(part), part))
        return answer()

    def answer():
        head = lines.readline()[:-2]
        if head[:1] == b"$":
            size = int(head[1:])
            return lines.read(size + 2)[:-2] if size >= 0 else b""
        if head[:1] == b"*":
            return [answer() for _ in range(int(head[1:]))]
        return head

    if url.password:
        ask("AUTH", url.username or "default", url.password)
    keys = ask("KEYS", os.environ["JINGQI_REDIS_PREFIX"] + "*")
    return b"\n".join(part for key in keys for part in (key, ask("DUMP", key)))


def hits(canaries):
    """How often each canary occurs, everywhere."""
    found = dict.fromkeys(canaries, 0)

    def count(data):
        for name, forms in canaries.items():
            found[name] += sum(data.count(form) for form in forms)

    for place in PLACES:
        for folder, _, files in os.walk(place):
            for name in files:
                try:
                    with open(os.path.join(folder, name), "rb") as file:
                        count(file.read())
                except OSError:
                    pass  # A socket, or a file that PostgreSQL removed while we read.
    count(redis_dump())
    return found


def otherwise(door, method, headers, essence, body):
    """The same call without gRPC: by plain JSON, by gRPC-Web in bytes and in base64."""
    url = f"http://{door}/jingqi.v1.ConductReportService/{method}"
    sent = dict(headers) | {"content-type": essence, "user-agent": AGENT}
    request = urllib.request.Request(url, data=body, headers=sent, method="POST")
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def by_other_doors(door, headers):
    """A report by each of them, and a look at the one that was filed by JSON."""
    text = "巡查企业时收受礼品。"
    wanted = {"accused": [{"text": "一名不知姓名的民警"}], "content": text}
    plain = "application/json"
    answer = otherwise(
        door, "FileAnonymousConductReport", headers, plain, json.dumps(wanted).encode()
    )
    filed = json.loads(answer)
    look = json.dumps({"queryCode": filed["queryCode"], "secret": filed["secret"]}).encode()
    status = json.loads(otherwise(door, "ReadConductReport", headers, plain, look))
    expect(status["state"] == "SUBMITTED", "an anonymous report is filed and read by JSON")
    message = con.FileAnonymousConductReportRequest(
        accused=[con.Accused(text="一名不知姓名的民警")], content=text
    ).SerializeToString()
    framed = b"\0" + len(message).to_bytes(4, "big") + message
    for essence, body in (
        ("application/grpc-web+proto", framed),
        ("application/grpc-web-text", base64.b64encode(framed)),
    ):
        answer = otherwise(door, "FileAnonymousConductReport", headers, essence, body)
        answer = answer if body is framed else base64.b64decode(answer[:8])
        expect(answer[:1] == b"\0", f"an anonymous report is filed by {essence}")


def main():
    """Files a report, searches; makes an ordinary call, searches again."""
    expect(PLACES, "the places that are searched are named")
    options = [("grpc.primary_user_agent", AGENT)]
    door = relay()
    channel = grpc.insecure_channel(door, options)
    identity = idn_grpc.IdentityServiceStub(grpc.insecure_channel(SERVER))
    signed_in = idn.SignInWithWechatRequest(login_code=login_code(f"openid-{TRACE[:8]}"))
    token = identity.SignInWithWechat(signed_in).access_token
    account = identity.GetAccount(idn.GetAccountRequest(), metadata=bearer(token)).name
    person = account.split("/")[1]
    canaries = {
        "address": [ADDRESS.encode()],
        "trace": [TRACE.encode(), bytes.fromhex(TRACE)],
        "agent": [AGENT.encode()],
        "phone": [PHONE.encode()],
        "person": [person.encode(), bytes.fromhex(person.replace("-", ""))],
    }
    metadata = bearer(token) + [
        ("traceparent", f"00-{TRACE}-{TRACE[:16]}-01"),
        ("x-forwarded-for", ADDRESS),
        ("x-phone", PHONE),
    ]
    before = hits(canaries)
    reports = con_grpc.ConductReportServiceStub(channel)
    report = con.FileAnonymousConductReportRequest(
        accused=[con.Accused(text="一名不知姓名的民警")], content="巡查企业时收受礼品。"
    )
    filed = reports.FileAnonymousConductReport(report, metadata=metadata)
    read = con.ReadConductReportRequest(query_code=filed.query_code, secret=filed.secret)
    status = reports.ReadConductReport(read, metadata=metadata)
    expect(status.state == con.ConductReport.SUBMITTED, "an anonymous report is filed and read")
    by_other_doors(door, metadata)
    after = hits(canaries)
    expect(after == before, f"no trace of the reporter anywhere: {after}")
    # The control: what an ordinary call leaves is found by the same search.
    ordinary = idn_grpc.IdentityServiceStub(channel)
    signed_in = idn.SignInWithWechatRequest(login_code=login_code(f"openid-{TRACE[:8]}"))
    ordinary.SignInWithWechat(signed_in, metadata=metadata[1:])
    ordinary.GetAccount(idn.GetAccountRequest(), metadata=metadata)
    control = hits(canaries)
    for name in ("address", "person"):
        expect(control[name] > after[name], f"the control finds the {name} of an ordinary call")


main()
