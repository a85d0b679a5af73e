"""A phone and an officer talk: a WebSocket client in JSON that knows nothing of Protobuf, and a gRPC
client whose code was generated from proto/. Neither is ours."""

import json
import os
import queue
import threading
import uuid

import grpc
from jingqi.v1 import conversation_service_pb2 as con
from jingqi.v1 import conversation_service_pb2_grpc as con_grpc
from jingqi.v1 import enterprise_service_pb2 as ent
from jingqi.v1 import enterprise_service_pb2_grpc as ent_grpc
from jingqi.v1 import identity_service_pb2 as idn
from jingqi.v1 import identity_service_pb2_grpc as idn_grpc
from jingqi.v1 import liaison_service_pb2 as lia
from jingqi.v1 import liaison_service_pb2_grpc as lia_grpc
from jingqi.v1 import types_pb2 as typ
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from people import ACCOUNTS, SERVER, bearer, expect, login_code, totp_now

LINE = f"ws://{os.environ['JINGQI_WEB_LISTEN']}/v1/line"
CHANNEL = grpc.insecure_channel(SERVER)
IDENTITY = idn_grpc.IdentityServiceStub(CHANNEL)
ENTERPRISES = ent_grpc.EnterpriseServiceStub(CHANNEL)
LIAISON = lia_grpc.LiaisonServiceStub(CHANNEL)
CONVERSATIONS = con_grpc.ConversationServiceStub(CHANNEL)


def person(role):
    """Signs a person in, and gives the bare token."""
    request = idn.SignInWithWechatRequest(login_code=login_code(ACCOUNTS["persons"][role]))
    return IDENTITY.SignInWithWechat(request).access_token


def officer(role):
    """Signs an officer in; gives the metadata of a call, and the name."""
    account = ACCOUNTS["officers"][role]
    request = idn.SignInOfficerRequest(
        police_number=account["police_number"],
        password=account["password"],
        totp_code=totp_now(account["totp_secret"]),
    )
    token = bearer(IDENTITY.SignInOfficer(request).access_token)
    return token, IDENTITY.GetAccount(idn.GetAccountRequest(), metadata=token)


def post(leader, unit, liaison):
    """A liaison post of the brigade that serves its district, with one officer."""
    made = LIAISON.CreateLiaisonPost(
        lia.CreateLiaisonPostRequest(
            liaison_post=lia.LiaisonPost(
                unit=unit,
                display_name="宿城大队警务直通车",
                mode=lia.LiaisonPost.STATIONED,
                duty_hours=[typ.TimeWindow(from_minute=0, until_minute=1440)],
                districts=["321302"],
            ),
            request_id=str(uuid.uuid4()),
        ),
        metadata=leader,
    )
    LIAISON.AssignLiaisonOfficer(
        lia.AssignLiaisonOfficerRequest(name=made.name, officer=liaison), metadata=leader
    )
    return made.name


class Phone:
    """The line of a mini-program."""

    def __init__(self, socket):
        self.socket = socket
        self.account = self.next("signedIn")["signedIn"]["account"]

    def say(self, **frame):
        """Sends a frame."""
        self.socket.send(json.dumps(frame))

    def next(self, kind):
        """The next frame of a kind."""
        while True:
            frame = json.loads(self.socket.recv(timeout=20))
            if "failure" in frame:
                raise SystemExit(f"FAILED: {frame}")
            if kind in frame:
                return frame

    def message(self):
        """The next message of the watch."""
        while True:
            event = self.next("event")["event"]["event"]
            if "message" in event:
                return event["message"]


def line(**options):
    """An open line in JSON."""
    return connect(LINE, subprotocols=["jingqi.v1+json"], **options)


def refused_lines():
    """What the door refuses."""
    for protocols in (None, ["jingqi.v9+json"]):
        try:
            with connect(LINE, subprotocols=protocols):
                raise SystemExit(f"FAILED: subprotocol {protocols} was taken")
        except InvalidStatus as error:
            expect(error.response.status_code == 400, f"subprotocol {protocols} is refused")
    with line() as stranger:
        stranger.send('{"id": "1", "listMessages": {"conversation": "conversations/x"}}')
        failure = json.loads(stranger.recv(timeout=20))["failure"]
        expect(failure["reason"] == "TOKEN_MISSING", f"nobody: {failure['text']}")
        stranger.send(" " * (64 * 1024 + 1))
        try:
            stranger.recv(timeout=20)
            raise SystemExit("FAILED: a frame over 64 KiB was taken")
        except ConnectionClosed as closed:
            expect(closed.rcvd.code == 1009, "a frame over 64 KiB ends the line")


def main():
    """The talk."""
    refused_lines()
    token = person("boss")
    boss = bearer(token)
    enterprise = ENTERPRISES.ListEnterprises(
        ent.ListEnterprisesRequest(), metadata=boss
    ).enterprises[0].name
    leader, account = officer("leader")
    desk, liaison = officer("liaison")
    direct = post(leader, account.unit, liaison.name)
    conversation = CONVERSATIONS.CreateConversation(
        con.CreateConversationRequest(
            conversation=con.Conversation(
                enterprise=enterprise, liaison_post=direct, title="厂区门口停车"
            ),
            request_id=str(uuid.uuid4()),
        ),
        metadata=boss,
    ).name
    CONVERSATIONS.ClaimConversation(
        con.ClaimConversationRequest(name=conversation), metadata=desk
    )

    heard = queue.Queue()
    stream = CONVERSATIONS.WatchMessages(
        con.WatchMessagesRequest(conversation=conversation), metadata=desk
    )

    def listen():
        try:
            for item in stream:
                if item.WhichOneof("event") == "message":
                    heard.put(item.message)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.CANCELLED:
                raise

    listener = threading.Thread(target=listen)
    listener.start()

    sent = {
        "conversation": conversation, "clientMessageId": str(uuid.uuid4()),
        "kind": "TEXT", "text": "您好,门口被货车堵住了",
    }
    reply = con.SendMessageRequest(
        conversation=conversation, client_message_id=str(uuid.uuid4()), kind=con.TEXT,
        text="收到,民警五分钟内到",
    )
    signed = {"additional_headers": {"Authorization": f"Bearer {token}"}}
    with line(**signed) as socket:
        phone = Phone(socket)
        expect(phone.account.startswith("persons/"), f"the phone is {phone.account}")
        phone.say(id="1", watch={"conversation": conversation})
        phone.next("watchStarted")
        phone.say(id="2", sendMessage=sent)
        stored = phone.next("messageSent")["messageSent"]["sequence"]
        while (message := heard.get(timeout=20)).text != sent["text"]:
            pass
        expect(str(message.sequence) == stored, f"企业: {message.text} ({stored})")
        answered = CONVERSATIONS.SendMessage(reply, metadata=desk)
        while (message := phone.message())["text"] != reply.text:
            pass
        expect(message["sequence"] == str(answered.sequence), f"民警: {message['text']}")

    # The phone was in the background, and comes back.
    reply.client_message_id, reply.text = str(uuid.uuid4()), "已疏通,请放心"
    missed = CONVERSATIONS.SendMessage(reply, metadata=desk)
    with line(**signed) as socket:
        phone = Phone(socket)
        phone.say(watch={"conversation": conversation, "afterSequence": message["sequence"]})
        message = phone.message()
        expect(
            (message["sequence"], message["text"]) == (str(missed.sequence), reply.text),
            f"after the break: {message['text']}",
        )
    stream.cancel()
    listener.join()


main()
