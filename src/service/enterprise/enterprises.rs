//! Enterprises: read, suspended, classed by documents. Claims and their verification stand in `claims`,
//! members in `members`, the garage in `vehicles`, vehicles of two garages in `contests`, drivers in
//! `drivers`.

mod claims;
mod contests;
mod drivers;
mod members;
mod vehicles;

use crate::{
    actor::{Matter, Role},
    context::Cx,
    domain::{
        codes::{Uscc, mask},
        enterprise::{Enterprise, EnterpriseAction, EnterpriseState},
        pass::policy::EnterpriseClass,
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    parts::Parts,
    service::{
        pb::{self, enterprise_service_server::EnterpriseService},
        rpc,
        wire::{self, Page},
    },
    store::{
        self, Connection, Store,
        enterprise::{
            claims as sealed_claims,
            class_grants::{self, Grant},
            enterprises,
        },
    },
};

/// The service.
pub struct Enterprises {
    store: Store,
}

rpc! { EnterpriseService, Enterprises {
    create_enterprise(pb::CreateEnterpriseRequest) -> pb::Enterprise;
    get_enterprise(pb::GetEnterpriseRequest) -> pb::Enterprise;
    list_enterprises(pb::ListEnterprisesRequest) -> pb::ListEnterprisesResponse;
    update_enterprise(pb::UpdateEnterpriseRequest) -> pb::Enterprise;
    withdraw_enterprise(pb::WithdrawEnterpriseRequest) -> pb::Enterprise;
    read_enterprise_claim(pb::ReadEnterpriseClaimRequest) -> pb::EnterpriseClaim;
    prepare_enterprise(pb::PrepareEnterpriseRequest) -> pb::Enterprise;
    reject_enterprise(pb::RejectEnterpriseRequest) -> pb::Enterprise;
    annul_enterprise(pb::AnnulEnterpriseRequest) -> pb::Enterprise;
    verify_enterprise(pb::VerifyEnterpriseRequest) -> pb::Enterprise;
    suspend_enterprise(pb::SuspendEnterpriseRequest) -> pb::Enterprise;
    resume_enterprise(pb::ResumeEnterpriseRequest) -> pb::Enterprise;
    grant_enterprise_class(pb::GrantEnterpriseClassRequest) -> pb::EnterpriseClassGrant;
    end_enterprise_class_grant(pb::EndEnterpriseClassGrantRequest) -> pb::EnterpriseClassGrant;
    invite_member(pb::InviteMemberRequest) -> pb::Invitation;
    accept_invitation(pb::AcceptInvitationRequest) -> pb::Member;
    list_members(pb::ListMembersRequest) -> pb::ListMembersResponse;
    remove_member(pb::RemoveMemberRequest) -> pb::Member;
    create_vehicle(pb::CreateVehicleRequest) -> pb::Vehicle;
    get_vehicle(pb::GetVehicleRequest) -> pb::Vehicle;
    list_vehicles(pb::ListVehiclesRequest) -> pb::ListVehiclesResponse;
    update_vehicle(pb::UpdateVehicleRequest) -> pb::Vehicle;
    retire_vehicle(pb::RetireVehicleRequest) -> pb::Vehicle;
    set_vehicle_states(pb::SetVehicleStatesRequest) -> pb::Vehicle;
    contest_vehicle(pb::ContestVehicleRequest) -> pb::VehicleContest;
    withdraw_vehicle_contest(pb::WithdrawVehicleContestRequest) -> pb::VehicleContest;
    list_vehicle_contests(pb::ListVehicleContestsRequest) -> pb::ListVehicleContestsResponse;
    move_vehicle(pb::MoveVehicleRequest) -> pb::Vehicle;
    dismiss_vehicle_contest(pb::DismissVehicleContestRequest) -> pb::VehicleContest;
    add_driver(pb::AddDriverRequest) -> pb::Driver;
    claim_vehicle(pb::ClaimVehicleRequest) -> pb::Driver;
    list_drivers(pb::ListDriversRequest) -> pb::ListDriversResponse;
    remove_driver(pb::RemoveDriverRequest) -> pb::Driver;
} }

impl Enterprises {
    /// The service of these parts.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        Self { store: parts.store.clone() }
    }

    async fn get_enterprise(
        &self,
        cx: &Cx,
        request: pb::GetEnterpriseRequest,
    ) -> Result<pb::Enterprise> {
        let id = wire::named(&request.name)?;
        let mut connection = self.store.read().await?;
        let vault = self.store.vault();
        let enterprise =
            enterprises::get(&mut connection, vault, id, &cx.sight_of(Matter::Enterprise)).await?;
        whole(&mut connection, vault, cx, &enterprise).await
    }

    async fn list_enterprises(
        &self,
        cx: &Cx,
        request: pb::ListEnterprisesRequest,
    ) -> Result<pb::ListEnterprisesResponse> {
        let uscc = if request.uscc.is_empty() {
            None
        } else {
            Some(Uscc::parse(&request.uscc).map_err(|flaw| Error::field("uscc", flaw))?)
        };
        let state = EnterpriseState::from_wire(request.state().as_str_name());
        let filter = enterprises::Filter {
            uscc: uscc.as_ref().map(Uscc::as_str),
            state: state.map(EnterpriseState::wire),
        };
        let arguments = [cx.method, &request.uscc, filter.state.unwrap_or_default()];
        let page = Page::of(&self.store, &request, &arguments)?;
        let mut connection = self.store.read().await?;
        let mut found = enterprises::list(
            &mut connection,
            self.store.vault(),
            filter,
            &cx.sight_of(Matter::Enterprise),
            page.after,
            page.rows(),
        )
        .await?;
        let next_page_token = page.cut(&mut found, |enterprise| enterprise.id.uuid());
        let mut listed = Vec::with_capacity(found.len());
        for enterprise in found {
            let grants = class_grants::at(&mut connection, enterprise.id, cx.now).await?;
            listed.push(reply(&enterprise, &grants));
        }
        Ok(pb::ListEnterprisesResponse { enterprises: listed, next_page_token })
    }

    async fn suspend_enterprise(
        &self,
        cx: &Cx,
        request: pb::SuspendEnterpriseRequest,
    ) -> Result<pb::Enterprise> {
        let step = Step::parse(&request.name, &request.reason, "reason", &request.etag)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let enterprise = step.take(tx, cx, EnterpriseAction::Suspend).await?;
            let grants = class_grants::at(tx.conn(), enterprise.id, cx.now).await?;
            Ok(reply(&enterprise, &grants))
        })
        .await
    }

    async fn resume_enterprise(
        &self,
        cx: &Cx,
        request: pb::ResumeEnterpriseRequest,
    ) -> Result<pb::Enterprise> {
        let step = Step::parse(&request.name, &request.reason, "reason", &request.etag)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let enterprise = step.take(tx, cx, EnterpriseAction::Resume).await?;
            let grants = class_grants::at(tx.conn(), enterprise.id, cx.now).await?;
            Ok(reply(&enterprise, &grants))
        })
        .await
    }

    async fn grant_enterprise_class(
        &self,
        cx: &Cx,
        request: pb::GrantEnterpriseClassRequest,
    ) -> Result<pb::EnterpriseClassGrant> {
        let sworn = cx.actor.sworn()?;
        let form = request.class_grant.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let enterprise =
            faults.take("enterprise", Id::<kind::Enterprise>::parse(&request.enterprise));
        let class = EnterpriseClass::from_wire(form.class().as_str_name());
        faults.check(class.is_some(), "class_grant.class", Flaw::Required);
        let source = wire::text(&form.source_document, 200);
        let source = faults.take("class_grant.source_document", source);
        let from = faults.take("class_grant.valid_from", wire::instant(form.valid_from));
        let until = faults.take("class_grant.valid_until", wire::instant(form.valid_until));
        if let (Some(from), Some(until)) = (from, until) {
            faults.check(from < until, "class_grant.valid_until", Flaw::EndBeforeStart);
        }
        let (enterprise, class, source_document, from, until) =
            faults.whole((enterprise, class, source, from, until))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let enterprise =
                enterprises::lock(tx, enterprise, &cx.scope_of(Matter::Enterprise)).await?;
            if !enterprise.state().proven() {
                return Err(Error::new(Reason::EnterpriseNotVerified));
            }
            let grant = Grant {
                id: cx.id(),
                enterprise: enterprise.id,
                class,
                source_document,
                valid_from: from,
                valid_until: until,
                unit: sworn.unit,
            };
            class_grants::insert(tx, &grant, sworn.officer).await?;
            Ok(grant_reply(&grant))
        })
        .await
    }

    async fn end_enterprise_class_grant(
        &self,
        cx: &Cx,
        request: pb::EndEnterpriseClassGrantRequest,
    ) -> Result<pb::EnterpriseClassGrant> {
        cx.actor.sworn()?;
        let mut faults = Faults::new();
        let id = faults.name(&request.name);
        let reason = faults.take("reason", wire::text(&request.reason, 500));
        let (id, reason) = faults.whole((id, reason))?;
        wire::write(&self.store, cx, &request, async |tx| {
            let grant =
                class_grants::end(tx, id, &reason, &cx.scope_of(Matter::Enterprise)).await?;
            Ok(grant_reply(&grant))
        })
        .await
    }
}

/// What every step of an enterprise asks for.
struct Step {
    id: Id<kind::Enterprise>,
    note: String,
    version: Option<i64>,
}

impl Step {
    fn parse(name: &str, note: &str, path: &str, etag: &str) -> Result<Self> {
        let mut faults = Faults::new();
        let step = Self::read(name, note, path, etag, &mut faults);
        faults.whole(step)
    }

    /// The same beside other fields, whose faults are told together.
    fn read(name: &str, note: &str, path: &str, etag: &str, faults: &mut Faults) -> Option<Self> {
        let id = faults.take("name", Id::parse(name));
        let note = faults.take(path, wire::text(note, 500));
        faults.check(!etag.is_empty(), "etag", Flaw::Required);
        let version = faults.maybe("etag", wire::version(etag));
        Some(Self { id: id?, note: note?, version })
    }

    async fn take(
        self,
        tx: &mut store::Tx,
        cx: &Cx,
        action: EnterpriseAction,
    ) -> Result<Enterprise> {
        let enterprise = enterprises::lock(tx, self.id, &cx.scope_of(Matter::Enterprise)).await?;
        wire::fresh(self.version, enterprise.version)?;
        let moved = enterprise.act(action, self.note, cx)?;
        tx.settle_now(moved).await
    }
}

fn warning(flaw: Flaw) -> pb::CodedReason {
    pb::CodedReason { code: flaw.wire().to_owned(), text: flaw.zh().to_owned() }
}

/// An enterprise without what was claimed, as lists show it.
fn reply(enterprise: &Enterprise, grants: &[Grant]) -> pb::Enterprise {
    let state = wire::enumerated::<pb::enterprise::State>(enterprise.state());
    let uscc = Uscc::parse(&enterprise.claim.uscc).ok();
    pb::Enterprise {
        name: enterprise.id.to_string(),
        // Public for organisations, personal for individuals (facts.md, 6.6).
        uscc: uscc.as_ref().map(|uscc| uscc.shown().clone()).unwrap_or_default(),
        display_name: enterprise.claim.display_name.clone(),
        division_code: enterprise.claim.division_code.clone(),
        state,
        legal_representative: mask::name(&enterprise.claim.legal_representative),
        class_grants: grants.iter().map(grant_reply).collect(),
        create_time: Some(wire::time(enterprise.create_time)),
        warnings: uscc.and_then(|uscc| uscc.warning()).map(warning).into_iter().collect(),
        etag: wire::etag(enterprise.version),
        claim: None,
        reason: enterprise.reason.map(|reason| pb::CodedReason {
            code: reason.wire().to_owned(),
            text: format!("{}:{}", reason.zh(), enterprise.reason_note),
        }),
    }
}

/// An enterprise with its grants; for who claimed it and for the desk also with what was claimed, masked.
async fn whole(
    connection: &mut Connection,
    vault: &store::Vault,
    cx: &Cx,
    enterprise: &Enterprise,
) -> Result<pb::Enterprise> {
    let grants = class_grants::at(connection, enterprise.id, cx.now).await?;
    let mut reply = reply(enterprise, &grants);
    let own = cx.actor.person().is_ok_and(|person| person == enterprise.applicant);
    if own || at_desk(cx) {
        let sealed = sealed_claims::sealed(connection, vault, enterprise.id).await?;
        let mut claim = claims::claim_reply(enterprise);
        claim.legal_representative_name = mask::name(&enterprise.claim.legal_representative);
        claim.legal_representative_id =
            mask::document(enterprise.claim.document, &sealed.document_number);
        if !sealed.phone.is_empty() {
            claim.phone = mask::phone(&sealed.phone);
        }
        if at_desk(cx) {
            claims::add_prepared(connection, enterprise, &mut claim).await?;
        }
        reply.claim = Some(claim);
    }
    Ok(reply)
}

/// Whether an officer of the desk asks.
fn at_desk(cx: &Cx) -> bool {
    let roles = cx.actor.roles();
    [Role::WindowClerk, Role::FirstReviewer, Role::FinalReviewer].iter().any(|it| roles.has(*it))
}

fn grant_reply(grant: &Grant) -> pb::EnterpriseClassGrant {
    let class = wire::enumerated::<pb::EnterpriseClass>(grant.class);
    pb::EnterpriseClassGrant {
        name: grant.id.to_string(),
        class,
        source_document: grant.source_document.clone(),
        valid_from: Some(wire::time(grant.valid_from)),
        valid_until: Some(wire::time(grant.valid_until)),
        granted_by: grant.unit.to_string(),
    }
}
