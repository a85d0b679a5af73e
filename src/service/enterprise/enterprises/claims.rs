//! Claims of enterprises: handed in by a person with a licence and a proven phone, prepared by one
//! officer, verified or refused by another. What waits takes nothing from anybody.

use super::{Enterprises, Step, reply, sealed_claims, whole};
use crate::{
    actor::Role,
    context::Cx,
    domain::{
        codes::{DivisionCode, DocumentKind, IdentityDocument, Uscc},
        duty::month,
        enterprise::{
            CLAIMS_MAX, CODE_HELD, Claim, Enterprise, EnterpriseAction, EnterpriseRefusal,
            contest::VehicleRuling,
        },
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{pb, wire},
    store::{
        Connection, Limit, Tx,
        enterprise::{
            enterprises,
            members::{self, NewMember},
            vehicles,
        },
    },
};

impl Enterprises {
    pub(super) async fn create_enterprise(
        &self,
        cx: &Cx,
        request: pb::CreateEnterpriseRequest,
    ) -> Result<pb::Enterprise> {
        let applicant = cx.actor.person()?;
        let typed = Typed {
            form: request.enterprise.clone().unwrap_or_default(),
            name: &request.legal_representative_name,
            document: request.legal_representative_document(),
            number: &request.legal_representative_id,
            licence: &request.licence,
        };
        let parsed = typed.parse(cx, Faults::new())?;
        wire::write(&self.store, cx, &request, async |tx| {
            self.store.limits().count(Limit::Claim, &cx.actor.name()).await?;
            let claimer = sealed_claims::claimer(tx, applicant).await?;
            if !claimer.proved {
                return Err(Error::new(Reason::PhoneUnproven));
            }
            if claimer.claims >= CLAIMS_MAX {
                return Err(Error::new(Reason::ClaimsSpent));
            }
            let licence = parsed.licence;
            let (claim, document) = parsed.placed(tx).await?;
            let enterprise = Enterprise::claimed(claim, applicant, cx);
            let enterprise = tx
                .settle_first(enterprise.register(cx), async |tx, enterprise| {
                    enterprises::insert(tx, enterprise, &document).await
                })
                .await?;
            sealed_claims::bind_licence(tx, licence, applicant, enterprise.id).await?;
            let reply = self.claim_taken(tx, cx, &enterprise).await?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn update_enterprise(
        &self,
        cx: &Cx,
        request: pb::UpdateEnterpriseRequest,
    ) -> Result<pb::Enterprise> {
        let applicant = cx.actor.person()?;
        let form = request.enterprise.clone().unwrap_or_default();
        let mut faults = Faults::new();
        let id = faults.take("enterprise.name", Id::<kind::Enterprise>::parse(&form.name));
        faults.check(!form.etag.is_empty(), "enterprise.etag", Flaw::Required);
        let version = faults.maybe("enterprise.etag", wire::version(&form.etag));
        let typed = Typed {
            form,
            name: &request.legal_representative_name,
            document: request.legal_representative_document(),
            number: &request.legal_representative_id,
            licence: &request.licence,
        };
        let parsed = typed.parse(cx, faults)?;
        let Some(id) = id else { return Err(Error::new(Reason::RequestInvalid)) };
        wire::write(&self.store, cx, &request, async |tx| {
            let enterprise = enterprises::lock_own(tx, id, applicant, &cx.scope()).await?;
            wire::fresh(version, enterprise.version)?;
            let licence = parsed.licence;
            let (claim, document) = parsed.placed(tx).await?;
            let moved = enterprise.edit(claim, cx)?;
            sealed_claims::bind_licence(tx, licence, applicant, id).await?;
            enterprises::rewrite(tx, moved.peek(), &document).await?;
            let enterprise = tx.settle_now(moved).await?;
            let reply = self.claim_taken(tx, cx, &enterprise).await?;
            Ok(reply)
        })
        .await
    }

    /// What a claimer is answered. Of a verified enterprise with this code it is said that there is one,
    /// so that who works there asks for an invitation; of other claims nothing.
    async fn claim_taken(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        enterprise: &Enterprise,
    ) -> Result<pb::Enterprise> {
        let vault = self.store.vault();
        let mut reply = whole(tx.conn(), vault, cx, enterprise).await?;
        let (holder, _) =
            enterprises::of_code(tx.conn(), &enterprise.claim.uscc, enterprise.id).await?;
        if holder.is_some() {
            let code = Reason::EnterpriseExists.wire().to_owned();
            reply.warnings.push(pb::CodedReason { code, text: CODE_HELD.to_owned() });
        }
        Ok(reply)
    }

    pub(super) async fn withdraw_enterprise(
        &self,
        cx: &Cx,
        request: pb::WithdrawEnterpriseRequest,
    ) -> Result<pb::Enterprise> {
        let applicant = cx.actor.person()?;
        let id = wire::named(&request.name)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let enterprise = enterprises::lock_own(tx, id, applicant, &cx.scope()).await?;
            let enterprise = tx.settle_now(enterprise.withdraw(cx)?).await?;
            let reply = whole(tx.conn(), self.store.vault(), cx, &enterprise).await?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn read_enterprise_claim(
        &self,
        cx: &Cx,
        request: pb::ReadEnterpriseClaimRequest,
    ) -> Result<pb::EnterpriseClaim> {
        cx.actor.officer()?;
        let mut faults = Faults::new();
        let id = faults.name::<kind::Enterprise>(&request.name);
        let reason = faults.take("reason", wire::text(&request.reason, 500));
        let (id, reason) = faults.whole((id, reason))?;
        self.store.limits().count(Limit::ClaimReading, &cx.actor.name()).await?;
        let mut tx = self.store.begin(cx).await?;
        let enterprise = enterprises::lock(&mut tx, id, &cx.scope()).await?;
        sealed_claims::record_reading(&mut tx, id, enterprise.state(), reason).await?;
        let vault = self.store.vault();
        let sealed = sealed_claims::sealed(tx.conn(), vault, id).await?;
        let mut claim = claim_reply(&enterprise);
        claim.legal_representative_name.clone_from(&enterprise.claim.legal_representative);
        claim.legal_representative_id = sealed.document_number;
        claim.uscc.clone_from(&enterprise.claim.uscc);
        claim.phone = sealed.phone;
        add_prepared(tx.conn(), &enterprise, &mut claim).await?;
        tx.commit().await?;
        Ok(claim)
    }

    pub(super) async fn prepare_enterprise(
        &self,
        cx: &Cx,
        request: pb::PrepareEnterpriseRequest,
    ) -> Result<pb::Enterprise> {
        let step = Step::parse(&request.name, &request.note, "note", &request.etag)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let enterprise = enterprises::lock(tx, step.id, &cx.scope()).await?;
            wire::fresh(step.version, enterprise.version)?;
            let enterprise = tx.settle_now(enterprise.prepare(step.note, cx)?).await?;
            let reply = whole(tx.conn(), self.store.vault(), cx, &enterprise).await?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn verify_enterprise(
        &self,
        cx: &Cx,
        request: pb::VerifyEnterpriseRequest,
    ) -> Result<pb::Enterprise> {
        let sworn = cx.actor.sworn()?;
        let step = Step::parse(&request.name, &request.note, "note", &request.etag)?;
        wire::write(&self.store, cx, &request, async |tx| {
            // Rivals before the claim itself: two verifications of one code wait for each other.
            let claims = enterprises::lock_claims(tx, step.id).await?;
            let enterprise = enterprises::lock(tx, step.id, &cx.scope()).await?;
            wire::fresh(step.version, enterprise.version)?;
            let officer = sealed_claims::officer_name(tx, sworn.officer).await?;
            let verified = enterprise.verify(step.note, &officer, cx)?;
            let enterprise = tx.settle_now(verified).await?;
            let member = NewMember {
                enterprise: enterprise.id,
                person: enterprise.applicant,
                full_name: &enterprise.claim.legal_representative,
                role: Role::LegalRepresentative,
                scope: &[],
                valid_until: None,
            };
            members::insert(tx, member).await?;
            for rival in claims.into_iter().filter(|rival| rival.id != enterprise.id) {
                tx.settle_now(rival.give_way(cx)?).await?;
            }
            let reply = whole(tx.conn(), self.store.vault(), cx, &enterprise).await?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn reject_enterprise(
        &self,
        cx: &Cx,
        request: pb::RejectEnterpriseRequest,
    ) -> Result<pb::Enterprise> {
        let (action, code) = (EnterpriseAction::Reject, request.reason_code.as_str());
        let (step, reason) = refusal(&request.name, code, &request.note, &request.etag, action)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let enterprise = enterprises::lock(tx, step.id, &cx.scope()).await?;
            wire::fresh(step.version, enterprise.version)?;
            let moved = enterprise.refuse(action, reason, step.note, cx)?;
            let enterprise = tx.settle_now(moved).await?;
            let reply = whole(tx.conn(), self.store.vault(), cx, &enterprise).await?;
            Ok(reply)
        })
        .await
    }

    /// Ends an enterprise with everything that it holds: nothing of it stands in the way of its owner.
    pub(super) async fn annul_enterprise(
        &self,
        cx: &Cx,
        request: pb::AnnulEnterpriseRequest,
    ) -> Result<pb::Enterprise> {
        let (action, code) = (EnterpriseAction::Annul, request.reason_code.as_str());
        let (step, reason) = refusal(&request.name, code, &request.note, &request.etag, action)?;
        wire::write(&self.store, cx, &request, async |tx| {
            let enterprise = enterprises::lock(tx, step.id, &cx.scope()).await?;
            wire::fresh(step.version, enterprise.version)?;
            let note = step.note.clone();
            let moved = enterprise.refuse(action, reason, step.note, cx)?;
            let enterprise = tx.settle_now(moved).await?;
            for vehicle in vehicles::lock_garage(tx, enterprise.id).await? {
                let ruling = Some(VehicleRuling::EnterpriseAnnulled);
                super::vehicles::depart(tx, cx, vehicle, ruling, &note, None).await?;
            }
            // Last, so that everything before was told to who acted for it.
            members::end_of_enterprise(tx, enterprise.id).await?;
            let reply = reply(&enterprise, &[]);
            Ok(reply)
        })
        .await
    }
}

/// What a claimer typed, as the requests bring it.
struct Typed<'a> {
    form: pb::Enterprise,
    name: &'a str,
    document: pb::IdentityDocumentKind,
    number: &'a str,
    licence: &'a str,
}

/// What a claimer typed, read; the unit is looked up later.
struct Parsed {
    uscc: Uscc,
    display_name: String,
    division: DivisionCode,
    legal_representative: String,
    document: IdentityDocument,
    licence: Id<kind::Attachment>,
}

impl Typed<'_> {
    /// Reads it, and tells every fault with those that were found before.
    fn parse(self, cx: &Cx, mut faults: Faults) -> Result<Parsed> {
        let form = self.form;
        let uscc = faults.take("enterprise.uscc", Uscc::parse(&form.uscc));
        let name = faults.take("enterprise.display_name", wire::text(&form.display_name, 100));
        let division =
            faults.take("enterprise.division_code", DivisionCode::parse(&form.division_code));
        let person = faults.take("legal_representative_name", wire::text(self.name, 50));
        // Who does not say what kind it is brings the number that nearly everybody has.
        let kind = DocumentKind::from_wire(self.document.as_str_name());
        let kind = kind.unwrap_or(DocumentKind::ResidentId);
        let document = IdentityDocument::parse(kind, self.number, month::local_date(cx.now));
        let document = faults.take("legal_representative_id", document);
        let licence = if self.licence.is_empty() {
            Err(Flaw::MaterialMissing)
        } else {
            Id::parse(self.licence)
        };
        let licence = faults.take("licence", licence);
        let (uscc, display_name, division, legal_representative, document, licence) =
            faults.whole((uscc, name, division, person, document, licence))?;
        Ok(Parsed { uscc, display_name, division, legal_representative, document, licence })
    }
}

impl Parsed {
    /// The claim, with the unit that serves its division.
    async fn placed(self, tx: &mut Tx) -> Result<(Claim, IdentityDocument)> {
        let unit = enterprises::serving_unit(tx.conn(), self.division.as_str()).await?;
        let (unit, unit_path) =
            unit.ok_or_else(|| Error::field("enterprise.division_code", Flaw::UnknownValue))?;
        let claim = Claim {
            uscc: self.uscc.as_str().to_owned(),
            display_name: self.display_name,
            division_code: self.division.as_str().to_owned(),
            unit,
            unit_path,
            legal_representative: self.legal_representative,
            document: self.document.kind(),
            licence: Some(self.licence),
        };
        Ok((claim, self.document))
    }
}

/// A step with a coded reason of the action.
fn refusal(
    name: &str,
    code: &str,
    note: &str,
    etag: &str,
    action: EnterpriseAction,
) -> Result<(Step, EnterpriseRefusal)> {
    let mut faults = Faults::new();
    let reason = if code.is_empty() {
        Err(Flaw::Required)
    } else {
        EnterpriseRefusal::from_wire(code)
            .filter(|reason| reason.fits(action))
            .ok_or(Flaw::UnknownValue)
    };
    let reason = faults.take("reason_code", reason);
    let step = Step::read(name, note, "note", etag, &mut faults);
    faults.whole((step, reason))
}

/// What of a claim is neither personal nor of the desk.
pub(super) fn claim_reply(enterprise: &Enterprise) -> pb::EnterpriseClaim {
    let document = wire::enumerated::<pb::IdentityDocumentKind>(enterprise.claim.document);
    pb::EnterpriseClaim {
        licence: enterprise.claim.licence.map(|licence| licence.to_string()).unwrap_or_default(),
        legal_representative_document: document,
        claimer: enterprise.applicant.to_string(),
        uscc: mask_uscc(&enterprise.claim.uscc),
        display_name: enterprise.claim.display_name.clone(),
        division_code: enterprise.claim.division_code.clone(),
        expire_time: wire::time_of(enterprise.expire_time),
        ..pb::EnterpriseClaim::default()
    }
}

/// A code as everybody may see it: whole, but of an individual business.
fn mask_uscc(text: &str) -> String {
    Uscc::parse(text).map(|uscc| uscc.shown()).unwrap_or_default()
}

/// Adds what the desk alone sees: who prepared it, and who else has the code.
pub(super) async fn add_prepared(
    connection: &mut Connection,
    enterprise: &Enterprise,
    claim: &mut pb::EnterpriseClaim,
) -> Result<()> {
    if let Some(prepared) = &enterprise.prepared {
        claim.prepared_by = prepared.by.to_string();
        claim.prepare_note.clone_from(&prepared.note);
        claim.prepare_time = Some(wire::time(prepared.time));
    }
    let (holder, rivals) =
        enterprises::of_code(connection, &enterprise.claim.uscc, enterprise.id).await?;
    claim.holder = holder.map(|id| id.to_string()).unwrap_or_default();
    claim.rivals = rivals.iter().map(ToString::to_string).collect();
    Ok(())
}
