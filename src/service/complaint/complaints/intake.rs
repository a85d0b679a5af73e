//! How complaints come in and leave: filed, taken in or refused, transferred, merged, withdrawn.

use super::{
    Complaints, NOTE_CHARACTERS_MAX, Target, deciding, decision, in_charge, is_officer, scope,
    target,
};
use crate::{
    actor::Item,
    context::Cx,
    domain::complaint::{Category, Channel, Complaint, Draft, Rules, rules::Needed},
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Id, kind},
    service::{pb, wire},
    store::{
        Tx,
        complaint::{
            complaint_attachments, complaint_policies,
            complaints::{self, filing::file},
        },
        enterprise::attachments::Sight,
        pass::policy_inputs,
    },
};

/// The longest title, in characters.
const TITLE_CHARACTERS_MAX: usize = 100;
/// The longest content, in characters.
const CONTENT_CHARACTERS_MAX: usize = 2_000;
/// The longest place, in characters.
const PLACE_CHARACTERS_MAX: usize = 100;
/// The longest number of another system, in characters.
const NUMBER_CHARACTERS_MAX: usize = 40;
/// The most files of one complaint.
const ATTACHMENTS_MAX: usize = 9;

/// What somebody files, parsed.
struct Filing {
    enterprise: Id<kind::Enterprise>,
    category: Category,
    channel: Channel,
    title: String,
    content: String,
    place: String,
    outside_number: String,
    attachments: Vec<Id<kind::Attachment>>,
}

impl Filing {
    /// Refuses what lacks something that the rules of its category ask for.
    fn complete(&self, rules: &Rules) -> Result<()> {
        let mut faults = Faults::new();
        for needed in &rules.needed {
            let (field, given) = match needed {
                Needed::Attachment => ("complaint.attachments", !self.attachments.is_empty()),
                Needed::Place => ("complaint.place", !self.place.is_empty()),
            };
            faults.check(given, field, Flaw::Required);
        }
        faults.done()
    }
}

impl Complaints {
    pub(super) async fn file_complaint(
        &self,
        cx: &Cx,
        request: pb::FileComplaintRequest,
    ) -> Result<pb::Complaint> {
        let filing = filing(cx, &request.complaint.clone().unwrap_or_default())?;
        let enterprise = filing.enterprise;
        if !is_officer(cx) && !cx.actor.acts_for(enterprise, Item::Request) {
            return Err(scope(cx).missing(enterprise.subject()));
        }
        let again = async |reply| self.repeated(cx, reply).await;
        wire::write_or(&self.store, cx, &request, again, async |tx| {
            let rules = complaint_policies::in_force(tx.conn(), filing.category, cx.now).await?;
            filing.complete(&rules)?;
            // An officer files for whoever comes to the unit; a person was judged above.
            let place = if is_officer(cx) { cx.scope() } else { scope(cx) };
            let (unit_path, state) = policy_inputs::site(tx.conn(), enterprise, &place).await?;
            if !state.proven() {
                return Err(Error::new(Reason::EnterpriseNotVerified));
            }
            let draft = Draft {
                enterprise,
                unit_path,
                category: filing.category,
                channel: filing.channel,
                title: filing.title,
                content: filing.content,
                place: filing.place,
                origin: None,
                linked_sequences: Vec::new(),
                past_handlers: Vec::new(),
                outside_number: filing.outside_number,
            };
            let complaint = file(tx, cx, &self.world.calendar(), cx.id(), draft).await?;
            let (brought, sight) = (&filing.attachments, Sight::of(&cx.actor));
            complaint_attachments::link(tx, complaint.id, enterprise, brought, &sight).await?;
            let reply = super::whole(tx.conn(), cx, complaint).await?;
            Ok(reply)
        })
        .await
    }

    pub(super) async fn accept_complaint(
        &self,
        cx: &Cx,
        request: pb::AcceptComplaintRequest,
    ) -> Result<pb::Complaint> {
        let officer = cx.actor.sworn()?.officer;
        let category = Category::from_wire(request.category().as_str_name());
        let form = move_of(&request.name, "", &request.etag, &request.request_id);
        let (goal, _) = target(&form, false)?;
        self.step(cx, goal, &request, async |tx, complaint| {
            deciding(tx, cx, &complaint, |rules| rules.intake).await?;
            let category = category.unwrap_or(complaint.category);
            complaint.accept(officer, category, cx)
        })
        .await
    }

    pub(super) async fn decline_complaint(
        &self,
        cx: &Cx,
        request: pb::MoveComplaintRequest,
    ) -> Result<pb::Complaint> {
        let officer = cx.actor.sworn()?.officer;
        let (goal, reason) = decision(&request)?;
        self.step(cx, goal, &request, async |tx, complaint| {
            deciding(tx, cx, &complaint, |rules| rules.intake).await?;
            complaint.decline(officer, reason, cx)
        })
        .await
    }

    pub(super) async fn object_to_decline(
        &self,
        cx: &Cx,
        request: pb::MoveComplaintRequest,
    ) -> Result<pb::Complaint> {
        let (goal, reason) = target(&request, true)?;
        self.step(cx, goal, &request, async |_, complaint| {
            own(cx, &complaint)?;
            complaint.object(reason, cx)
        })
        .await
    }

    pub(super) async fn transfer_complaint(
        &self,
        cx: &Cx,
        request: pb::TransferComplaintRequest,
    ) -> Result<pb::Complaint> {
        let officer = cx.actor.sworn()?.officer;
        let (goal, note, target, number) = transfer(&request, true)?;
        self.step(cx, goal, &request, async |tx, complaint| {
            deciding(tx, cx, &complaint, |rules| rules.intake).await?;
            complaint.transfer_out(officer, (target, number), note, cx)
        })
        .await
    }

    pub(super) async fn record_transfer_number(
        &self,
        cx: &Cx,
        request: pb::TransferComplaintRequest,
    ) -> Result<pb::Complaint> {
        cx.actor.sworn()?;
        let (goal, note, _, number) = transfer(&request, false)?;
        self.step(cx, goal, &request, async |tx, complaint| {
            deciding(tx, cx, &complaint, |rules| rules.intake).await?;
            complaint.numbered_outside(number, note, cx)
        })
        .await
    }

    pub(super) async fn merge_complaint(
        &self,
        cx: &Cx,
        request: pb::MergeComplaintRequest,
    ) -> Result<pb::Complaint> {
        let officer = cx.actor.sworn()?.officer;
        let mut faults = Faults::new();
        let id = faults.name::<kind::Complaint>(&request.name);
        let into = faults.take("into", Id::<kind::Complaint>::parse(&request.into));
        let version = faults.maybe("etag", wire::version(&request.etag));
        let (id, into) = faults.whole((id, into))?;
        let again = async |reply| self.repeated(cx, reply).await;
        wire::write_or(&self.store, cx, &request, again, async |tx| {
            // Both are held, so that neither ends meanwhile; in one order, so that nobody waits in a ring.
            let (complaint, into) = self.both(tx, cx, id, into).await?;
            wire::fresh(version, complaint.version)?;
            deciding(tx, cx, &complaint, |rules| rules.intake).await?;
            // Only one that the officer is in charge of; a foreign one looks like an absent one.
            in_charge(cx, &into)?;
            let (merged, told) = complaint.merge(officer, into, cx)?;
            let calendar = self.world.calendar();
            let complaint = tx.settle(&calendar, merged).await?;
            tx.settle(&calendar, told).await?;
            let reply = super::whole(tx.conn(), cx, complaint).await?;
            Ok(reply)
        })
        .await
    }

    async fn both(
        &self,
        tx: &mut Tx,
        cx: &Cx,
        one: Id<kind::Complaint>,
        other: Id<kind::Complaint>,
    ) -> Result<(Complaint, Complaint)> {
        let scope = scope(cx);
        if one.uuid() <= other.uuid() {
            let first = complaints::lock(tx, one, &scope).await?;
            Ok((first, complaints::lock(tx, other, &scope).await?))
        } else {
            let first = complaints::lock(tx, other, &scope).await?;
            Ok((complaints::lock(tx, one, &scope).await?, first))
        }
    }

    pub(super) async fn withdraw_complaint(
        &self,
        cx: &Cx,
        request: pb::MoveComplaintRequest,
    ) -> Result<pb::Complaint> {
        let (goal, reason) = target(&request, true)?;
        self.step(cx, goal, &request, async |_, complaint| {
            own(cx, &complaint)?;
            complaint.withdraw(reason, cx)
        })
        .await
    }
}

/// The common part of a step, from a request that has more.
pub(super) fn move_of(
    name: &str,
    note: &str,
    etag: &str,
    request_id: &str,
) -> pb::MoveComplaintRequest {
    pb::MoveComplaintRequest {
        name: name.to_owned(),
        note: note.to_owned(),
        etag: etag.to_owned(),
        request_id: request_id.to_owned(),
    }
}

/// Refuses whoever does not act for the enterprise of the complaint.
pub(super) fn own(cx: &Cx, complaint: &Complaint) -> Result<()> {
    if cx.actor.acts_for(complaint.enterprise, Item::Request) {
        Ok(())
    } else {
        Err(scope(cx).missing(complaint.id.subject()))
    }
}

fn filing(cx: &Cx, form: &pb::Complaint) -> Result<Filing> {
    let mut faults = Faults::new();
    let at = |field: &str| format!("complaint.{field}");
    let enterprise = faults.take(at("enterprise"), Id::parse(&form.enterprise));
    let category = Category::from_wire(form.category().as_str_name()).ok_or(Flaw::Required);
    let category = faults.take(at("category"), category);
    let channel = faults.take(at("channel"), channel(cx, form.channel()));
    let title = faults.take(at("title"), wire::text(&form.title, TITLE_CHARACTERS_MAX));
    let content = faults.take(at("content"), wire::text(&form.content, CONTENT_CHARACTERS_MAX));
    let place = faults.take(at("place"), wire::text_maybe(&form.place, PLACE_CHARACTERS_MAX));
    let number = wire::text_maybe(&form.outside_number, NUMBER_CHARACTERS_MAX);
    let number = faults.take(at("outside_number"), number).unwrap_or_default();
    // What came from another system is found again by its number there.
    let known = channel != Some(Channel::TransferredIn) || !number.is_empty();
    faults.check(known, at("outside_number"), Flaw::Required);
    faults.check(form.attachments.len() <= ATTACHMENTS_MAX, at("attachments"), Flaw::TooMany);
    let mut attachments = Vec::new();
    for (index, name) in form.attachments.iter().take(ATTACHMENTS_MAX).enumerate() {
        let path = format!("complaint.attachments[{index}]");
        attachments.extend(faults.take(path, Id::parse(name)));
    }
    let (enterprise, category, channel, title, content) =
        faults.whole((enterprise, category, channel, title, content))?;
    Ok(Filing {
        enterprise,
        category,
        channel,
        title,
        content,
        place: place.unwrap_or_default(),
        outside_number: number,
        attachments,
    })
}

/// An enterprise files by its mini-program; an officer says how it came.
fn channel(cx: &Cx, named: pb::complaint::Channel) -> Result<Channel, Flaw> {
    use pb::complaint::Channel as Wire;
    match (is_officer(cx), named) {
        (false, Wire::Unspecified | Wire::MiniProgram) => Ok(Channel::MiniProgram),
        (true, Wire::Window) => Ok(Channel::Window),
        (true, Wire::Phone) => Ok(Channel::Phone),
        (true, Wire::TransferredIn) => Ok(Channel::TransferredIn),
        (true, Wire::Unspecified) => Err(Flaw::Required),
        _ => Err(Flaw::UnknownValue),
    }
}

/// Reads a transfer; the number alone is wanted where it is only recorded.
fn transfer(
    request: &pb::TransferComplaintRequest,
    whole: bool,
) -> Result<(Target, String, String, String)> {
    let mut faults = Faults::new();
    let id = faults.name(&request.name);
    let version = faults.maybe("etag", wire::version(&request.etag));
    let read = if whole { wire::text } else { wire::text_maybe };
    let note = faults.take("note", read(&request.note, NOTE_CHARACTERS_MAX));
    let target = faults.take("target", read(&request.target, NUMBER_CHARACTERS_MAX));
    let read = if whole { wire::text_maybe } else { wire::text };
    let number =
        faults.take("outside_number", read(&request.outside_number, NUMBER_CHARACTERS_MAX));
    let (id, note, target, number) = faults.whole((id, note, target, number))?;
    Ok((Target { id, version }, note, target, number))
}
