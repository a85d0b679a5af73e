"""A client that knows nothing but the address: everything else it learns by reflection."""

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from people import ACCOUNTS, SERVER, bearer, expect, login_code


def main():
    """Finds the services, builds messages from their descriptors, signs in and reads."""
    channel = grpc.insecure_channel(SERVER)
    database = ProtoReflectionDescriptorDatabase(channel)
    services = sorted(name for name in database.get_services() if name.startswith("jingqi."))
    expect(len(services) == 6, f"found {', '.join(services)}")
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
    code = login_code(ACCOUNTS["persons"]["boss"])
    tokens = call("IdentityService/SignInWithWechat", {"loginCode": code})
    token = bearer(tokens["accessToken"])
    passes = call("TruckPassService/ListTruckPasses", {"pageSize": 5}, token)["truckPasses"]
    expect(len(passes) > 0, f"own passes: {passes[0]['number']} {passes[0]['state']}")
    changes = call("TruckPassService/ListTruckPassChanges", {"name": passes[0]["name"]}, token)
    steps = [change["action"] for change in changes["changes"]]
    expect(steps == ["ISSUE", "SUSPEND"], f"its history: {steps}")


main()
