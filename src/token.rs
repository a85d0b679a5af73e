//! Signs and verifies access tokens. Who the subject is, and whether the session still lives, is
//! judged elsewhere. Strict where the library is lenient (invariants.md, finding 3).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Reason, Result};

/// How long an access token lives (I24).
pub const ACCESS_LIFETIME: SignedDuration = SignedDuration::from_mins(10);
/// How far the clocks of two servers may differ.
const LEEWAY_SECONDS: i64 = 2;
const ISSUER: &str = "jingqi";
const AUDIENCE: &str = "jingqi-api";
/// RFC 9068: a token of another use is never taken for an access token.
const TYPE: &str = "at+jwt";
/// Longer tokens are not looked at.
const LENGTH_MAX: usize = 2_048;
/// What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410).
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    iss: String,
    aud: String,
    /// The actor's resource name.
    pub sub: String,
    /// The session.
    pub sid: Uuid,
    iat: i64,
    nbf: i64,
    /// Seconds; refused from then on.
    pub exp: i64,
    /// Makes two tokens of one second differ.
    jti: Uuid,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader {
    typ: String,
    alg: String,
    kid: String,
}

impl Access {
    /// A token for the actor's session, from now on.
    #[must_use]
    pub fn new(actor: String, session: Uuid, id: Uuid, now: Timestamp) -> Self {
        let seconds = now.as_second();
        Self {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: actor,
            sid: session,
            iat: seconds,
            nbf: seconds,
            exp: seconds.saturating_add(ACCESS_LIFETIME.as_secs()),
            jti: id,
        }
    }

    /// Signs it with an Ed25519 key of 32 bytes.
    pub fn sign(&self, kid: &str, private_key: &[u8; 32]) -> Result<String> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(kid.to_owned());
        let mut der = PKCS8.to_vec();
        der.extend_from_slice(private_key);
        let key = EncodingKey::from_ed_der(&der);
        zeroize::Zeroize::zeroize(&mut der);
        jsonwebtoken::encode(&header, self, &key).map_err(Error::internal)
    }

    /// Whether it is in its time.
    pub fn in_time(&self, now: Timestamp) -> Result<()> {
        let now = now.as_second();
        let begun = self.nbf.max(self.iat) <= now.saturating_add(LEEWAY_SECONDS);
        if begun && now < self.exp { Ok(()) } else { Err(Error::new(Reason::TokenInvalid)) }
    }
}

/// Reads the key id of a token, where its header is exactly what we write.
pub fn kid(token: &str) -> Result<String> {
    let refused = || Error::new(Reason::TokenInvalid);
    if token.len() > LENGTH_MAX {
        return Err(refused());
    }
    let (header, _) = token.split_once('.').ok_or_else(refused)?;
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| refused())?;
    // An unknown parameter, `crit` above all, is refused: nobody here understands it.
    let header: StrictHeader = serde_json::from_slice(&header).map_err(|_| refused())?;
    if header.typ == TYPE && header.alg == "EdDSA" { Ok(header.kid) } else { Err(refused()) }
}

/// Verifies the signature and the claims' form with the key of the token's key id. Time is judged
/// by [`Access::in_time`], so that a verified token can be remembered.
pub fn verify(token: &str, public_key: &[u8]) -> Result<Access> {
    let refused = || Error::new(Reason::TokenInvalid);
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    // The library would ask the system's clock.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let key = DecodingKey::from_ed_der(public_key);
    let token = jsonwebtoken::decode::<Access>(token, &key, &validation);
    token.map(|token| token.claims).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use jiff::{SignedDuration, Timestamp};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::{Access, kid, verify};

    const KEY: [u8; 32] = [7; 32];

    fn public() -> [u8; 32] {
        ed25519_dalek::SigningKey::from_bytes(&KEY).verifying_key().to_bytes()
    }

    fn now() -> Timestamp {
        "2026-11-24T08:00:00Z".parse().unwrap()
    }

    /// Signs any header and any claims, as an attacker with the key could.
    fn forge(header: &Value, claims: &Value) -> String {
        use ed25519_dalek::Signer as _;
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let body = format!("{}.{}", part(header), part(claims));
        let signature = ed25519_dalek::SigningKey::from_bytes(&KEY).sign(body.as_bytes());
        format!("{body}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    fn header() -> Value {
        json!({"typ": "at+jwt", "alg": "EdDSA", "kid": "k"})
    }

    fn claims() -> Value {
        let seconds = now().as_second();
        json!({"iss": "jingqi", "aud": "jingqi-api", "sub": "persons/x", "sid": Uuid::nil(),
            "iat": seconds, "nbf": seconds, "exp": seconds + 600, "jti": Uuid::nil()})
    }

    fn accepted(token: &str) -> bool {
        kid(token).is_ok() && verify(token, &public()).is_ok_and(|a| a.in_time(now()).is_ok())
    }

    #[test]
    fn a_signed_token_is_read_back() {
        let access = Access::new("persons/x".to_owned(), Uuid::nil(), Uuid::nil(), now());
        let token = access.sign("k", &KEY).unwrap();
        assert_eq!(kid(&token).unwrap(), "k");
        assert_eq!(verify(&token, &public()).unwrap(), access);
        assert!(accepted(&forge(&header(), &claims())));
    }

    // ID-01, I24: the matrix of forged tokens.
    #[test]
    fn a_token_with_anything_wrong_is_refused() {
        let with = |mut value: Value, key: &str, to: Value| {
            value[key] = to;
            value
        };
        let without = |mut value: Value, key: &str| {
            value.as_object_mut().unwrap().remove(key);
            value
        };
        let second = now().as_second();
        let forged = [
            ("other type", forge(&with(header(), "typ", json!("JWT")), &claims())),
            ("no type", forge(&without(header(), "typ"), &claims())),
            ("no kid", forge(&without(header(), "kid"), &claims())),
            ("unknown crit", forge(&with(header(), "crit", json!(["x"])), &claims())),
            ("embedded key", forge(&with(header(), "jwk", json!({})), &claims())),
            ("key address", forge(&with(header(), "jku", json!("https://x")), &claims())),
            ("alg none", forge(&with(header(), "alg", json!("none")), &claims())),
            ("alg HS256", forge(&with(header(), "alg", json!("HS256")), &claims())),
            ("no audience", forge(&header(), &without(claims(), "aud"))),
            ("other audience", forge(&header(), &with(claims(), "aud", json!("x")))),
            ("audience list", forge(&header(), &with(claims(), "aud", json!(["jingqi-api", "x"])))),
            ("no issuer", forge(&header(), &without(claims(), "iss"))),
            ("other issuer", forge(&header(), &with(claims(), "iss", json!("x")))),
            ("no subject", forge(&header(), &without(claims(), "sub"))),
            ("no expiry", forge(&header(), &without(claims(), "exp"))),
            ("expired now", forge(&header(), &with(claims(), "exp", json!(second)))),
            ("expired 59 s ago", forge(&header(), &with(claims(), "exp", json!(second - 59)))),
            ("not yet valid", forge(&header(), &with(claims(), "nbf", json!(second + 60)))),
            ("text as nbf", forge(&header(), &with(claims(), "nbf", json!("0")))),
            ("issued in the future", forge(&header(), &with(claims(), "iat", json!(second + 60)))),
            ("no session", forge(&header(), &without(claims(), "sid"))),
            ("extra claim", forge(&header(), &with(claims(), "roles", json!(["AUDITOR"])))),
            ("too long", forge(&header(), &with(claims(), "sub", json!("x".repeat(3000))))),
            ("empty", String::new()),
        ];
        for (what, token) in forged {
            assert!(!accepted(&token), "{what} was accepted");
        }
    }

    #[test]
    fn a_token_of_another_key_or_with_a_flipped_character_is_refused() {
        let token = forge(&header(), &claims());
        let other = ed25519_dalek::SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes();
        assert!(verify(&token, &other).is_err());
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).unwrap();
            // The last character of a part carries bits that do not count.
            if altered != token && accepted(&altered) {
                let parts = altered.split('.').zip(token.split('.'));
                for (a, b) in parts {
                    assert_eq!(URL_SAFE_NO_PAD.decode(a), URL_SAFE_NO_PAD.decode(b));
                }
            }
        }
    }

    #[test]
    fn a_token_ends_at_its_instant() {
        let access = Access::new("persons/x".to_owned(), Uuid::nil(), Uuid::nil(), now());
        assert!(access.in_time(now() + SignedDuration::from_secs(599)).is_ok());
        assert!(access.in_time(now() + SignedDuration::from_secs(600)).is_err());
    }
}
