//! Roles that give power over others, and moves with them: proposed by one administrator, given when one of
//! another kind confirms.

use crate::{
    actor::Roles,
    context::Cx,
    domain::identity::{
        officer,
        proposal::{Act, Draft},
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{
        identity::proposals::{self, Confirming},
        pb, wire,
    },
    store::{
        Tx,
        identity::{
            officers::{self, Officer},
            units,
        },
    },
};

/// What waits for a second administrator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    /// The roles to be added.
    pub roles: Roles,
    /// The unit to be moved to.
    pub unit: Option<Id<kind::Unit>>,
}

/// Reads why: nobody confirms what was not said.
pub(super) fn reason(text: &str, needed: bool, faults: &mut Faults) -> Option<String> {
    let read = if needed { wire::text(text, 300) } else { wire::text_maybe(text, 300) };
    faults.take("reason", read)
}

fn told(roles: Roles) -> String {
    let names: Vec<_> = roles.iter().map(officer::role_zh).collect();
    if names.is_empty() { "无".to_owned() } else { names.join("、") }
}

/// Proposes what waits; answers with the name of the proposal, empty where nothing waits.
pub(super) async fn propose(
    tx: &mut Tx,
    cx: &Cx,
    known: &Officer,
    waiting: Waiting,
    reason: String,
) -> Result<String> {
    if waiting.roles.is_empty() && waiting.unit.is_none() {
        return Ok(String::new());
    }
    let unit = units::get(tx.conn(), known.unit, &cx.scope()).await?;
    let mut shown = vec![
        format!("民警:{}(警号{})", known.display_name, known.police_number),
        // Whoever confirms asks by this phone, or knows whose it is: the codes go there.
        format!("手机:{}", if known.phone.is_empty() { "未登记" } else { &known.phone }),
        format!("现有角色:{}", told(known.roles)),
    ];
    if !waiting.roles.is_empty() {
        shown.push(format!("授予角色:{}", told(waiting.roles)));
    }
    if let Some(next) = waiting.unit {
        let next = units::get(tx.conn(), next, &cx.scope()).await?;
        shown.push(format!("调动单位:{} → {}", unit.display_name, next.display_name));
    } else {
        shown.push(format!("单位:{}", unit.display_name));
    }
    let request = pb::RoleGrant {
        officer: known.id.to_string(),
        roles: waiting.roles.iter().map(|role| role.wire().to_owned()).collect(),
        unit: waiting.unit.map(|unit| unit.to_string()).unwrap_or_default(),
    };
    let draft = Draft {
        act: Act::GrantRole,
        subject: known.id.to_string(),
        unit_path: unit.path,
        request: Vec::new(),
        shown,
        reason,
    };
    Ok(proposals::propose(tx, draft, &request, cx).await?.id.to_string())
}

/// Gives what was proposed, within the reach of who confirms, to an officer as it is now.
pub(in crate::service) async fn grant(tx: &mut Tx, confirming: &Confirming<'_>) -> Result<()> {
    let request: pb::RoleGrant = confirming.request()?;
    let scope = confirming.cx.scope();
    let id = Id::parse(&request.officer).map_err(|flaw| Error::internal(flaw.wire()))?;
    let known = officers::lock(tx, id, &scope).await?;
    if known.disable_time.is_some() {
        return Err(Error::new(Reason::TransitionIllegal).fact("state", "ENDED"));
    }
    let mut faults = Faults::new();
    let added = if request.roles.is_empty() {
        Roles::NONE
    } else {
        officer::roles(&request.roles, "roles", &mut faults).unwrap_or_default()
    };
    // What the officer has become since then may exclude it.
    let roles = known.roles.and(added);
    officer::tell_exclusions(roles, "roles", &mut faults);
    let unit = if request.unit.is_empty() {
        Some(known.unit)
    } else {
        faults.take("unit", Id::<kind::Unit>::parse(&request.unit))
    };
    faults.done()?;
    let unit = unit.ok_or_else(|| Error::field("unit", Flaw::Required))?;
    let unit = units::get(tx.conn(), unit, &scope).await?.id;
    officers::save(tx, known, roles, unit).await?;
    Ok(())
}
