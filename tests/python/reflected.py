"""A client that knows nothing but the address: everything else it learns by reflection."""

import json
import os
import pathlib
import re
import uuid

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from people import SERVER, expect

CODES = pathlib.Path(os.environ["JINGQI_CODES"])


def unique():
    """A request id."""
    return str(uuid.uuid4())


def main():
    """Finds the services, builds messages from their descriptors, and walks."""
    channel = grpc.insecure_channel(SERVER)
    database = ProtoReflectionDescriptorDatabase(channel)
    services = sorted(name for name in database.get_services() if name.startswith("jingqi."))
    texts = "".join(file.read_text() for file in pathlib.Path("proto/jingqi/v1").glob("*.proto"))
    declared = sorted(re.findall(r"^service (\w+)", texts, re.MULTILINE))
    expect(
        services == [f"jingqi.v1.{name}" for name in declared], f"reflected: {len(services)} services"
    )
    pool = descriptor_pool.DescriptorPool(database)

    def call(method, fields, metadata=()):
        """Calls a method by its name, with JSON."""
        service, name = method.split("/")
        descriptor = pool.FindServiceByName(f"jingqi.v1.{service}").FindMethodByName(name)
        request = message_factory.GetMessageClass(descriptor.input_type)()
        json_format.ParseDict(fields, request)
        reply = message_factory.GetMessageClass(descriptor.output_type)
        stub = channel.unary_unary(
            f"/jingqi.v1.{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=reply.FromString,
        )
        return json_format.MessageToDict(stub(request, metadata=metadata))

    zones = call("TruckPassService/ListZones", {})["zones"]
    expect(len(zones) > 0, f"read before signing in: {zones[0]['displayName']}")
    signed_in = json.loads((CODES / "signed_in.json").read_text(encoding="ascii"))
    boss, first, gate = (list(map(tuple, signed_in[who])) for who in ("boss", "first", "gate"))
    passes = call("TruckPassService/ListTruckPasses", {"pageSize": 5}, boss)["truckPasses"]
    expect(len(passes) > 0, f"own passes: {passes[0]['number']} {passes[0]['state']}")
    changes = call("TruckPassService/ListTruckPassChanges", {"name": passes[0]["name"]}, boss)
    steps = [change["action"] for change in changes["changes"]]
    expect(steps == ["ISSUE", "SUSPEND"], f"its history: {steps}")

    # The journey once more, for a second truck of the same enterprise.
    old = call("PassApplicationService/ListPassApplications", {}, boss)["passApplications"][0]
    truck = call("EnterpriseService/GetVehicle", {"name": old["vehicle"]}, boss)
    for field in ("name", "state", "createTime", "updateTime", "etag"):
        truck.pop(field, None)
    truck["plateNumber"] = "苏N" + old["number"][-6:-1]
    truck = call(
        "EnterpriseService/CreateVehicle", {"vehicle": truck, "requestId": unique()}, boss
    )
    wanted = {key: old[key] for key in ("enterprise", "need", "attachments")}
    wanted |= {"vehicle": truck["name"], "declarationAccepted": True}
    filed = call(
        "PassApplicationService/CreatePassApplication",
        {"passApplication": wanted, "requestId": unique()},
        boss,
    )
    name = {"name": filed["name"]}
    call("PassApplicationService/SubmitPassApplication", name, boss)
    call("PassApplicationService/AcceptPassApplication", name, first)
    held = call("PassApplicationService/ClaimPassApplication", name, first)
    approved = call(
        "PassApplicationService/ApprovePassApplication", name | {"etag": held["etag"]}, first
    )
    expect(approved["state"] == "APPROVED", f"批准 {filed['number']}")
    code = call("TruckPassService/IssuePassCode", {"name": approved["truckPass"]}, boss)["text"]
    scan = {"code": code, "direction": "INBOUND", "observedPlateNumber": truck["plateNumber"]}
    checked = call("PassCheckService/CheckPass", scan | {"requestId": unique()}, gate)
    expect(checked["verdict"] == "VALID", f"放行: {checked['reasons']}")
    standing = call("TruckPassService/GetTruckPass", {"name": approved["truckPass"]}, boss)
    call(
        "TruckPassService/CancelTruckPass",
        {
            "name": approved["truckPass"],
            "reasonCode": "HOLDER_REQUEST",
            "note": "车辆已出售",
            "etag": standing["etag"],
        },
        boss,
    )
    checked = call("PassCheckService/CheckPass", scan | {"requestId": unique()}, gate)
    expect(checked["verdict"] == "INVALID", f"拦截: {checked['outcome']} {checked['reasons']}")


main()
