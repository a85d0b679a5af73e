//! Members: the legal representative appoints and removes handlers, within a scope and until a day.

use serde_json::json;

use super::Enterprises;
use crate::{
    actor::{Item, Matter, Role},
    context::Cx,
    domain::{
        codes::{Phone, mask},
        duty::month,
        enterprise::{AUTHORISED_MONTHS_MAX, INVITATION_OPEN},
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{pb, wire},
    store::{
        common::outbox::{self, Topic},
        enterprise::{
            enterprises,
            members::{self, Invitation, Member, NewMember},
        },
    },
};

impl Enterprises {
    pub(super) async fn invite_member(
        &self,
        cx: &Cx,
        request: pb::InviteMemberRequest,
    ) -> Result<pb::Invitation> {
        let invitation = invitation(cx, &request)?;
        let enterprise = invitation.enterprise;
        wire::write(&self.store, cx, &request, async |tx| {
            if !cx.actor.represents(enterprise) {
                return Err(cx.scope().missing(enterprise.subject()));
            }
            let known = enterprises::lock(tx, enterprise, &cx.scope()).await?;
            if !known.state().proven() {
                return Err(Error::new(Reason::EnterpriseNotVerified));
            }
            members::invite(tx, &invitation).await?;
            let payload = json!({ "invitation": invitation.id.uuid() });
            let subject = invitation.id.to_string();
            outbox::emit(tx, Topic::Invitation, subject, payload).await?;
            let reply = pb::Invitation {
                name: invitation.id.to_string(),
                enterprise: enterprise.to_string(),
                phone: mask::phone(&invitation.phone),
                scope: invitation.scope,
                valid_until: Some(wire::time(invitation.valid_until)),
                expire_time: Some(wire::time(invitation.expire_time)),
            };
            Ok(reply)
        })
        .await
    }

    pub(super) async fn accept_invitation(
        &self,
        cx: &Cx,
        request: pb::AcceptInvitationRequest,
    ) -> Result<pb::Member> {
        let id = wire::named(&request.name)?;
        let person = cx.actor.person()?;
        wire::write(&self.store, cx, &request, async |tx| {
            let invitation = members::accept(tx, id, person, &cx.scope()).await?;
            let new = NewMember {
                enterprise: invitation.enterprise,
                person,
                full_name: &invitation.full_name,
                role: Role::EnterpriseHandler,
                scope: &invitation.scope,
                valid_until: Some(invitation.valid_until),
            };
            let member = members::insert(tx, new).await?;
            Ok(reply(&member))
        })
        .await
    }

    pub(super) async fn list_members(
        &self,
        cx: &Cx,
        request: pb::ListMembersRequest,
    ) -> Result<pb::ListMembersResponse> {
        let id = Id::parse(&request.enterprise).map_err(|flaw| Error::field("enterprise", flaw))?;
        let mut connection = self.store.read().await?;
        let vault = self.store.vault();
        // Who may not read the enterprise learns nothing of its members.
        enterprises::get(&mut connection, vault, id, &cx.sight_of(Matter::Enterprise)).await?;
        let found =
            members::list(&mut connection, vault, id, &cx.sight_of(Matter::Enterprise)).await?;
        Ok(pb::ListMembersResponse { members: found.iter().map(reply).collect() })
    }

    pub(super) async fn remove_member(
        &self,
        cx: &Cx,
        request: pb::RemoveMemberRequest,
    ) -> Result<pb::Member> {
        let id: Id<kind::Member> = wire::named(&request.name)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let member = members::end(tx, id, &cx.scope()).await?;
            if !cx.actor.represents(member.enterprise) {
                return Err(cx.scope().missing(id.subject()));
            }
            Ok(reply(&member))
        })
        .await
    }
}

fn invitation(cx: &Cx, request: &pb::InviteMemberRequest) -> Result<Invitation> {
    let mut faults = Faults::new();
    let enterprise = faults.take("enterprise", Id::parse(&request.enterprise));
    let phone = Phone::parse(&request.phone);
    let phone =
        phone.and_then(|it| if it.is_mobile() { Ok(it) } else { Err(Flaw::PhoneMalformed) });
    let phone = faults.take("phone", phone);
    let full_name = faults.take("full_name", wire::name(&request.full_name));
    faults.check(!request.scope.is_empty(), "scope", Flaw::Required);
    for (at, item) in request.scope.iter().enumerate() {
        let known = Item::from_wire(item).is_some();
        faults.check(known, format!("scope[{at}]"), Flaw::UnknownValue);
        let before = request.scope.get(..at).unwrap_or_default();
        faults.check(!before.contains(item), format!("scope[{at}]"), Flaw::Duplicate);
    }
    let valid_until = faults.take("valid_until", wire::instant(request.valid_until));
    if let Some(until) = valid_until {
        faults.check(until > cx.now, "valid_until", Flaw::InPast);
        let latest = month::add_months_clamped(month::local_date(cx.now), AUTHORISED_MONTHS_MAX);
        faults.check(until <= month::start_of_day(latest), "valid_until", Flaw::TooFarAhead);
    }
    let (enterprise, phone, full_name, valid_until) =
        faults.whole((enterprise, phone, full_name, valid_until))?;
    Ok(Invitation {
        id: cx.id(),
        enterprise,
        full_name,
        phone: phone.as_str().to_owned(),
        scope: request.scope.clone(),
        valid_until,
        expire_time: cx.now.saturating_add(INVITATION_OPEN).unwrap_or(cx.now),
    })
}

fn reply(member: &Member) -> pb::Member {
    pb::Member {
        name: member.id.to_string(),
        enterprise: member.enterprise.to_string(),
        person: member.person.to_string(),
        display_name: mask::name(&member.full_name),
        phone: member.phone.as_deref().map(mask::phone).unwrap_or_default(),
        role: member.role.clone(),
        scope: member.scope.clone(),
        valid_until: wire::time_of(member.valid_until),
        end_time: wire::time_of(member.end_time),
    }
}
