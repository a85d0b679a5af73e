//! The beginning of a real deployment: the bureau's own unit, and the two administrators without whom nobody
//! else comes in. It is a command of whoever runs the servers, once; both make proofs of their own by the
//! code that goes to their phones, so that not even the operator can act as one of them.

use crate::{
    actor::{Role, Roles},
    context::Cx,
    domain::{
        codes::{Phone, PoliceNumber},
        common::notice::NoticeEvent,
    },
    error::{Error, Faults, Flaw, Reason, Result},
    parts::Parts,
    service::{identity::phone::mobile, wire},
    store::{
        common::notices::accounts,
        identity::{
            enrolments,
            officers::{self, NewOfficer},
            units::{self, NewUnit},
        },
    },
};

const CODE_DIGITS: usize = 12;
const NAME_CHARACTERS_MAX: usize = 100;

/// One of the first two administrators, as the operator types him.
#[derive(Debug, Clone)]
pub struct Founder {
    /// The number on the badge.
    pub police_number: String,
    /// The full name.
    pub full_name: String,
    /// Where the code goes.
    pub phone: String,
}

/// How a deployment begins.
#[derive(Debug, Clone)]
pub struct Founding {
    /// The code of the city bureau, 12 digits (公安机关机构代码).
    pub code: String,
    /// Its name: 宿迁市公安局.
    pub display_name: String,
    /// Who makes units, officers and devices (系统管理员).
    pub system_administrator: Founder,
    /// Who confirms power and lifts locks (安全管理员).
    pub security_administrator: Founder,
}

struct Checked {
    police_number: PoliceNumber,
    full_name: String,
    phone: Phone,
}

/// Makes the bureau and its first two administrators, and lets each be sent a code.
///
/// # Errors
/// `REQUEST_INVALID` with every fault at once, also where both are one person or share a phone;
/// `ALREADY_EXISTS` when there is a unit; `REMOTE_UNAVAILABLE` without an SMS gateway.
pub async fn found(parts: &Parts, founding: Founding) -> Result<()> {
    let mut faults = Faults::new();
    let digits = founding.code.bytes().all(|byte| byte.is_ascii_digit());
    faults.check(digits && founding.code.len() == CODE_DIGITS, "code", Flaw::NumberMalformed);
    let display_name = faults.take("name", wire::text(&founding.display_name, NAME_CHARACTERS_MAX));
    let system = checked(&mut faults, "system_administrator", &founding.system_administrator);
    let security = checked(&mut faults, "security_administrator", &founding.security_administrator);
    if let (Some(system), Some(security)) = (&system, &security) {
        let same = system.police_number == security.police_number;
        faults.check(!same, "security_administrator.police_number", Flaw::Duplicate);
        let same = system.phone.as_str() == security.phone.as_str();
        faults.check(!same, "security_administrator.phone", Flaw::Duplicate);
    }
    let (display_name, system, security) = faults.whole((display_name, system, security))?;
    if parts.sms.is_none() {
        return Err(Error::new(Reason::RemoteUnavailable).because("no SMS gateway is named"));
    }
    let cx = Cx::job("founding", parts.clock.now(), parts.ids.clone());
    let mut tx = parts.store.begin(&cx).await?;
    if !units::list(tx.conn()).await?.is_empty() {
        return Err(Error::new(Reason::AlreadyExists).because("there is a bureau already"));
    }
    let unit = NewUnit {
        code: founding.code,
        display_name,
        parent: None,
        reach: None,
        serves: Vec::new(),
    };
    let unit = units::insert(&mut tx, unit).await?.id;
    for (founder, role) in
        [(system, Role::SystemAdministrator), (security, Role::SecurityAdministrator)]
    {
        let new = NewOfficer {
            police_number: founder.police_number,
            full_name: founder.full_name,
            unit,
            roles: Roles::of(&[role]),
            phone: Some(founder.phone.clone()),
            public: None,
        };
        let made = officers::insert(&mut tx, new).await?;
        enrolments::issue(&mut tx, made.id, &founder.phone).await?;
        accounts::tell_security(&mut tx, made.id, NoticeEvent::AccountCreated).await?;
    }
    tx.commit().await
}

fn checked(faults: &mut Faults, path: &str, founder: &Founder) -> Option<Checked> {
    let number = PoliceNumber::parse(&founder.police_number);
    let police_number = faults.take(format!("{path}.police_number"), number);
    let full_name = faults.take(format!("{path}.full_name"), wire::name(&founder.full_name));
    let phone = faults.take(format!("{path}.phone"), mobile(&founder.phone));
    Some(Checked { police_number: police_number?, full_name: full_name?, phone: phone? })
}
