"""The picture is read, and the code verified, by code that is not ours, in both suites."""

import os
import pathlib
import time
import uuid

import base45
import cbor2
import zxingcpp
from gmssl import sm2, sm3
from PIL import Image
from pycose.keys import OKPKey
from pycose.messages import Sign1Message

from people import expect

CODES = pathlib.Path(os.environ["JINGQI_CODES"])
ALGORITHM_SM = -65601
CLAIM_PASS = -65601
SM2_ID = b"1234567812345678"
# GB/T 32918.5: a, b, and the base point of the curve.
CURVE = bytes.fromhex(
    "FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC"
    "28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93"
    "32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7"
    "BC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0"
)


def key_of(suite, kid):
    """The public key of a key id."""
    return (CODES / f"{suite}.{kid.hex()}.key").read_bytes()


def intl(signed):
    """Verifies with pycose."""
    decoded = Sign1Message.from_cose_obj(cbor2.loads(signed), True)
    kid = cbor2.loads(cbor2.loads(signed)[0])[4]
    decoded.key = OKPKey(crv="ED25519", x=key_of("INTL", kid), optional_params={"ALG": "EDDSA"})
    return decoded.verify_signature(), decoded.payload


def sm(signed):
    """Verifies with gmssl over the Sig_structure of RFC 9052, 4.4."""
    protected, _, payload, signature = cbor2.loads(signed)
    header = cbor2.loads(protected)
    expect(header[1] == ALGORITHM_SM, "SM: the documented private-use algorithm")
    public = key_of("SM", header[4])[1:]
    message = cbor2.dumps(["Signature1", protected, b"", payload])
    identity = (len(SM2_ID) * 8).to_bytes(2, "big") + SM2_ID + CURVE + public
    z = bytes.fromhex(sm3.sm3_hash(list(identity)))
    digest = bytes.fromhex(sm3.sm3_hash(list(z + message)))
    crypt = sm2.CryptSM2(private_key="", public_key=public.hex())
    return crypt.verify(signature.hex(), digest), payload


def main():
    """Both suites, genuine and altered."""
    name, plate = (CODES / "expected.txt").read_text(encoding="utf-8").split()
    for suite, verify in (("INTL", intl), ("SM", sm)):
        text = (CODES / f"{suite}.txt").read_text(encoding="ascii")
        read = zxingcpp.read_barcode(Image.open(CODES / f"{suite}.png"))
        expect(read is not None and read.text == text, f"{suite}: another reader reads the picture")
        signed = base45.b45decode(text.removeprefix("TP1:"))
        genuine, payload = verify(signed)
        expect(genuine, f"{suite}: another implementation verifies the signature")
        claims = cbor2.loads(payload)
        expect(str(uuid.UUID(bytes=claims[7])) == name.split("/")[1], f"{suite}: the pass")
        expect(claims[CLAIM_PASS][1] == plate, f"{suite}: the plate {plate}")
        expect(claims[5] <= time.time() < claims[4], f"{suite}: in its time")
        altered = bytearray(signed)
        altered[-1] ^= 1
        expect(not verify(bytes(altered))[0], f"{suite}: an altered code is refused")


main()
