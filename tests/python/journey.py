"""The journey of a truck pass, by a client whose code was generated from proto/ by others."""

import datetime
import hashlib
import json
import os
import pathlib
import random
import uuid

import grpc
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from jingqi.v1 import enterprise_service_pb2 as ent
from jingqi.v1 import enterprise_service_pb2_grpc as ent_grpc
from jingqi.v1 import identity_service_pb2 as idn
from jingqi.v1 import identity_service_pb2_grpc as idn_grpc
from jingqi.v1 import organisation_service_pb2 as org
from jingqi.v1 import organisation_service_pb2_grpc as org_grpc
from jingqi.v1 import pass_application_service_pb2 as app
from jingqi.v1 import pass_application_service_pb2_grpc as app_grpc
from jingqi.v1 import pass_check_service_pb2 as chk
from jingqi.v1 import pass_check_service_pb2_grpc as chk_grpc
from jingqi.v1 import truck_pass_service_pb2 as pas
from jingqi.v1 import truck_pass_service_pb2_grpc as pas_grpc
from jingqi.v1 import types_pb2 as typ

from people import ACCOUNTS, SERVER, bearer, expect, login_code, sandbox, totp_now

CHANNEL = grpc.insecure_channel(SERVER)
IDENTITY = idn_grpc.IdentityServiceStub(CHANNEL)
ORGANISATION = org_grpc.OrganisationServiceStub(CHANNEL)
ENTERPRISES = ent_grpc.EnterpriseServiceStub(CHANNEL)
APPLICATIONS = app_grpc.PassApplicationServiceStub(CHANNEL)
PASSES = pas_grpc.TruckPassServiceStub(CHANNEL)
CHECKS = chk_grpc.PassCheckServiceStub(CHANNEL)
CODES = pathlib.Path(os.environ["JINGQI_CODES"])


def person(role):
    """Signs a person in with a login code."""
    request = idn.SignInWithWechatRequest(login_code=login_code(ACCOUNTS["persons"][role]))
    return bearer(IDENTITY.SignInWithWechat(request).access_token)


def prove_phone(token, role, phone):
    """Proves a phone with WeChat's button."""
    wish = {"user": ACCOUNTS["persons"][role], "phone": phone}
    code = sandbox("/sandbox/phone_codes", wish)["code"]
    IDENTITY.VerifyPhone(idn.VerifyPhoneRequest(wechat_code=code), metadata=token)


def officer(role):
    """Signs an officer in with password and one-time code."""
    account = ACCOUNTS["officers"][role]
    request = idn.SignInOfficerRequest(
        police_number=account["police_number"],
        password=account["password"],
        totp_code=totp_now(account["totp_secret"]),
    )
    return bearer(IDENTITY.SignInOfficer(request).access_token)


def device(checkpoint, system):
    """Enrols a device with a key of its own, and signs it in."""
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    request = org.CreateDeviceEnrolmentRequest(checkpoint=checkpoint)
    code = ORGANISATION.CreateDeviceEnrolment(request, metadata=system).enrolment_code
    enrolled = IDENTITY.EnrolDevice(
        idn.EnrolDeviceRequest(
            enrolment_code=code, public_key=public, proof=key.sign(code.encode()), model="python"
        )
    )
    challenge = IDENTITY.CreateDeviceChallenge(
        idn.CreateDeviceChallengeRequest(device=enrolled.device)
    ).challenge
    tokens = IDENTITY.SignInDevice(
        idn.SignInDeviceRequest(
            device=enrolled.device, challenge=challenge, signature=key.sign(challenge)
        )
    )
    return bearer(tokens.access_token)


def paper(token, enterprise, kind):
    """Uploads a paper in two chunks."""
    content = b"%PDF-1.7\n% " + kind.encode() + b" " * 60_000
    attachment = APPLICATIONS.CreateAttachment(
        app.CreateAttachmentRequest(
            attachment=app.Attachment(
                enterprise=enterprise,
                kind=kind,
                content_type="application/pdf",
                size_bytes=len(content),
                sha256=hashlib.sha256(content).digest(),
                file_name=f"{kind}.pdf",
            )
        ),
        metadata=token,
    )
    for offset in range(0, len(content), 32_768):
        APPLICATIONS.UploadAttachmentChunk(
            app.UploadAttachmentChunkRequest(
                name=attachment.name, offset=offset, data=content[offset : offset + 32_768]
            ),
            metadata=token,
        )
    done = APPLICATIONS.CompleteAttachment(
        app.CompleteAttachmentRequest(name=attachment.name), metadata=token
    )
    expect(done.complete, f"{kind} uploaded in chunks")
    return done.name


def vehicle(token, enterprise):
    """Puts a truck into the garage."""
    request = ent.CreateVehicleRequest(
        vehicle=ent.Vehicle(
            enterprise=enterprise,
            plate_number=f"苏N{random.randrange(10_000, 99_999)}",
            plate_type="01",
            vehicle_type="H12",
            use_nature="F",
            energy_type="B",
            vin="LZZ1CLNBXNA000001",
            body_colour="A",
            gross_mass_kg=18_000,
            kerb_mass_kg=8_000,
            outer_length_mm=9_000,
            outer_width_mm=2_500,
            outer_height_mm=3_500,
            emission_stage=6,
            inspection_valid_until=str(datetime.date.today() + datetime.timedelta(days=700)),
            insurance_valid_until=str(datetime.date.today() + datetime.timedelta(days=700)),
            relation=ent.Vehicle.OWNED,
        ),
        request_id=str(uuid.uuid4()),
    )
    return ENTERPRISES.CreateVehicle(request, metadata=token)


def refused(call, code, text):
    """Expects a failure."""
    try:
        call()
    except grpc.RpcError as error:
        expect(error.code() == code, f"{text}: {error.code().name} {error.details()}")
        return
    raise SystemExit(f"FAILED: {text}: it was not refused")


def main():
    """The journey."""
    boss = person("boss")
    prove_phone(boss, "boss", "13905240000")
    enterprise = ENTERPRISES.CreateEnterprise(
        ent.CreateEnterpriseRequest(
            enterprise=ent.Enterprise(
                uscc="91321300MA1ABCDE8U", display_name="宿迁演示物流有限公司",
                division_code="321302",
            ),
            legal_representative_name="王大勇",
            legal_representative_id="321302199202290014",
            licence=paper(boss, "", "BUSINESS_LICENCE"),
            request_id=str(uuid.uuid4()),
        ),
        metadata=boss,
    )
    enterprise = ENTERPRISES.PrepareEnterprise(
        ent.PrepareEnterpriseRequest(name=enterprise.name, note="一致", etag=enterprise.etag),
        metadata=officer("clerk"),
    )
    enterprise = ENTERPRISES.VerifyEnterprise(
        ent.VerifyEnterpriseRequest(name=enterprise.name, note="已核对", etag=enterprise.etag),
        metadata=officer("second"),
    )
    expect(enterprise.state == ent.Enterprise.VERIFIED, f"企业 {enterprise.display_name}")
    truck = vehicle(boss, enterprise.name)
    papers = [
        paper(boss, enterprise.name, kind)
        for kind in ("VEHICLE_LICENCE", "INSURANCE", "TRANSPORT_CONTRACT")
    ]
    system = officer("system")
    checkpoint = ORGANISATION.ListCheckpoints(
        org.ListCheckpointsRequest(), metadata=system
    ).checkpoints[0]
    need = app.PassNeed(
        pass_kind=typ.LONG_TERM_DELIVERY,
        zones=list(checkpoint.zones)[:1],
        goods="包装材料",
        reason="向园区企业送货",
        time_windows=[typ.TimeWindow(from_minute=0, until_minute=1440)],
        start_date=str((datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=8)).date()),
        months=1,
    )
    wanted = app.PassApplication(
        enterprise=enterprise.name, vehicle=truck.name, need=need, attachments=papers,
        declaration_accepted=True,
    )
    refused(
        lambda: APPLICATIONS.CreatePassApplication(
            app.CreatePassApplicationRequest(pass_application=wanted)
        ),
        grpc.StatusCode.UNAUTHENTICATED,
        "no token",
    )
    filed = APPLICATIONS.CreatePassApplication(
        app.CreatePassApplicationRequest(pass_application=wanted, request_id=str(uuid.uuid4())),
        metadata=boss,
    )
    expect(filed.evaluation.outcome == "GRANT", f"申请 {filed.number}")
    APPLICATIONS.SubmitPassApplication(
        app.SubmitPassApplicationRequest(name=filed.name), metadata=boss
    )
    first = officer("first")
    APPLICATIONS.AcceptPassApplication(
        app.AcceptPassApplicationRequest(name=filed.name), metadata=first
    )
    held = APPLICATIONS.ClaimPassApplication(
        app.ClaimPassApplicationRequest(name=filed.name), metadata=first
    )
    approved = APPLICATIONS.ApprovePassApplication(
        app.ApprovePassApplicationRequest(name=filed.name, etag=held.etag), metadata=first
    )
    expect(approved.state == app.PassApplication.APPROVED, "批准")

    for suite in ("INTL", "SM"):
        code = PASSES.IssuePassCode(
            pas.IssuePassCodeRequest(name=approved.truck_pass, suite=suite), metadata=boss
        )
        expect(code.qr_version <= 9, f"{suite}: QR version {code.qr_version}")
        (CODES / f"{suite}.txt").write_text(code.text, encoding="ascii")
        (CODES / f"{suite}.png").write_bytes(code.png)
    keys = ORGANISATION.ListSigningKeys(
        org.ListSigningKeysRequest(), metadata=officer("security")
    ).signing_keys
    for key in keys:
        if key.purpose == org.SigningKey.PASS_CODE:
            (CODES / f"{key.suite}.{key.kid}.key").write_bytes(key.public_key)
    (CODES / "expected.txt").write_text(
        f"{approved.truck_pass}\n{truck.plate_number}\n", encoding="utf-8"
    )

    gate = device(checkpoint.name, system)
    scan = chk.CheckPassRequest(
        code=(CODES / "INTL.txt").read_text(encoding="ascii"),
        direction=chk.PassCheck.INBOUND,
        observed_plate_number=truck.plate_number,
        request_id=str(uuid.uuid4()),
    )
    checked = CHECKS.CheckPass(scan, metadata=gate)
    expect(checked.verdict == chk.PassCheck.VALID, f"放行: {'; '.join(checked.reasons)}")
    expect(CHECKS.CheckPass(scan, metadata=gate) == checked, "the same scan, the first answer")
    released = CHECKS.RecordCheckAction(
        chk.RecordCheckActionRequest(name=checked.name, action=chk.PassCheck.RELEASE),
        metadata=gate,
    )
    expect(released.action == chk.PassCheck.RELEASE, "记录放行")

    standing = PASSES.GetTruckPass(
        pas.GetTruckPassRequest(name=approved.truck_pass), metadata=boss
    )
    PASSES.SuspendTruckPass(
        pas.EndTruckPassRequest(
            name=standing.name, reason_code="UNDER_INVESTIGATION", note="核查", etag=standing.etag
        ),
        metadata=first,
    )
    scan.request_id = str(uuid.uuid4())
    checked = CHECKS.CheckPass(scan, metadata=gate)
    expect(checked.outcome == chk.PassCheck.SUSPENDED, f"拦截: {'; '.join(checked.reasons)}")
    # The next client walks with these: a one-time code serves once.
    signed_in = {"boss": boss, "first": first, "gate": gate}
    (CODES / "signed_in.json").write_text(json.dumps(signed_in), encoding="ascii")


main()
