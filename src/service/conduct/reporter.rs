//! What a reporter does: files, with a name or without, reads how it stands, writes. Whatever is stored
//! here is stored as by nobody: the context that reaches the store has no actor, no address, no call.

use super::{
    ConductReports, conclusion_reply, evidence::evidence_reply, finding_of, message_reply, state_of,
};
use crate::{
    actor::{Actor, Matter},
    context::Cx,
    domain::{
        codes::{self, Phone},
        common::lifecycle::Held,
        conduct::{CONTENT_CHARACTERS_MAX, ConductReport, DutyKind, ReportState, Slip},
    },
    error::{Error, Faults, Flaw, Reason, Result},
    id::{Collection as _, Id, kind},
    service::{pb, wire},
    store::{
        Once, Tx,
        complaint::complaints,
        conduct::{
            self,
            accused::{self, Meant},
            conclusions, duties, evidence as pieces,
            filings::{self, Began},
            identities::{self, Identity},
            messages,
        },
        liaison::conversations,
        pass::applications,
    },
};

/// How many may be accused at once.
const ACCUSED_MAX: usize = 10;
/// The longest description of somebody accused, in characters.
const ACCUSED_CHARACTERS_MAX: usize = 200;
/// What is counted for each code, and how often an hour it may be tried.
pub(super) type Tries = (&'static str, u32);
/// To read, write and ask.
pub(super) const READING: Tries = ("code", 60);
/// To add evidence, which comes in many parts.
pub(super) const UPLOADING: Tries = ("evidence", 4_000);

/// A report as it comes in.
struct Filing {
    accused: Vec<(String, Meant)>,
    content: String,
    matter: Option<(String, uuid::Uuid)>,
    identity: Option<Identity>,
}

impl ConductReports {
    pub(super) async fn file_anonymous_conduct_report(
        &self,
        cx: &Cx,
        request: pb::FileAnonymousConductReportRequest,
    ) -> Result<pb::FiledConductReport> {
        let mut faults = Faults::new();
        let filing = filing(&mut faults, &request.accused, &request.content, &request.matter);
        let once = wire::once(&request.request_id, &request);
        let once = faults.maybe("request_id", once.map_err(|_| Flaw::RequestIdMalformed));
        let filing = faults.whole(filing)?;
        self.file(cx, filing, once).await
    }

    pub(super) async fn file_conduct_report(
        &self,
        cx: &Cx,
        request: pb::FileConductReportRequest,
    ) -> Result<pb::FiledConductReport> {
        let Actor::Person { person, memberships, .. } = &cx.actor else {
            return Err(Error::new(Reason::Denied));
        };
        let mut faults = Faults::new();
        let filing = filing(&mut faults, &request.accused, &request.content, &request.matter);
        let full_name = faults.take("full_name", wire::name(&request.full_name));
        let phone = faults.take("phone", Phone::parse(&request.phone));
        let once = wire::once(&request.request_id, &request);
        let once = faults.maybe("request_id", once.map_err(|_| Flaw::RequestIdMalformed));
        let (filing, full_name, phone) = faults.whole((filing, full_name, phone))?;
        if let Some((collection, id)) = &filing.matter {
            self.knows(cx, collection, *id).await?;
        }
        let identity = Identity {
            person: person.to_string(),
            full_name,
            phone: phone.as_str().to_owned(),
            enterprises: memberships.iter().map(|member| member.enterprise.uuid()).collect(),
        };
        self.file(cx, Filing { identity: Some(identity), ..filing }, once).await
    }

    /// Refuses a matter that a reporter with a name may not read, like one that is absent. Without a
    /// name there is nobody to ask: it stays what the reporter says, and nothing is told of it.
    async fn knows(&self, cx: &Cx, collection: &str, id: uuid::Uuid) -> Result<()> {
        let mut connection = self.store.read().await?;
        let read = match collection {
            kind::Complaint::NAME => {
                let sight = cx.sight_of(Matter::Request);
                complaints::get(&mut connection, Id::of(id), &sight).await.map(drop)
            }
            kind::Conversation::NAME => {
                let scope = cx.scope();
                let read = conversations::get(&mut connection, Id::of(id), &scope, cx.now).await;
                read.map(drop)
            }
            _ => {
                let sight = cx.sight_of(Matter::Application);
                applications::get(&mut connection, Id::of(id), &sight).await.map(drop)
            }
        };
        match read {
            Err(error) if error.reason() == Reason::Denied => {
                Err(Error::field("matter", Flaw::UnknownValue))
            }
            read => read,
        }
    }

    async fn file(
        &self,
        cx: &Cx,
        filing: Filing,
        once: Option<Once>,
    ) -> Result<pb::FiledConductReport> {
        let cx = nobody(cx);
        let mut tx = self.store.begin(&cx).await?;
        if let Some(once) = &once
            && let Began::Replay(answer) = filings::begin(&mut tx, once).await?
        {
            return prost::Message::decode(answer.as_slice()).map_err(Error::internal);
        }
        let (code, secret) = (Slip::of(cx.ids().bytes()), Slip::of(cx.ids().bytes()));
        let report = ConductReport {
            id: Id::of(cx.ids().random()),
            real_name: filing.identity.is_some(),
            content: filing.content,
            matter: filing.matter,
            assigner: None,
            investigator: None,
            past_investigators: Vec::new(),
            past_assigners: Vec::new(),
            finding: None,
            result: String::new(),
            review: None,
            extension_days: 0,
            create_time: cx.now,
            end_time: None,
            version: 1,
            held: Held::default(),
        };
        let moved = report.file(&cx);
        let report = conduct::insert(&mut tx, moved, &code, &secret).await?;
        for (text, meant) in &filing.accused {
            accused::insert(&mut tx, report.id, text, meant).await?;
        }
        if let Some(identity) = &filing.identity {
            identities::insert(&mut tx, report.id, identity).await?;
        }
        let duty =
            duties::open(&mut tx, report.id, DutyKind::Accept, &self.world.calendar()).await?;
        super::intake::upward_if_due(&mut tx, report, &cx).await?;
        let reply = pb::FiledConductReport {
            query_code: code.to_string(),
            secret: secret.to_string(),
            accept_due_time: Some(wire::time(duty.due_time)),
        };
        if let Some(once) = &once {
            filings::answer(&mut tx, once, &prost::Message::encode_to_vec(&reply)).await?;
        }
        tx.commit().await?;
        Ok(reply)
    }

    pub(super) async fn read_conduct_report(
        &self,
        cx: &Cx,
        request: pb::ReadConductReportRequest,
    ) -> Result<pb::ConductReportStatus> {
        let (mut tx, report) =
            self.by_slip(cx, &request.query_code, &request.secret, READING).await?;
        self.status(&mut tx, report).await
    }

    pub(super) async fn write_to_inspectorate(
        &self,
        cx: &Cx,
        request: pb::WriteToInspectorateRequest,
    ) -> Result<pb::ConductReportStatus> {
        let mut faults = Faults::new();
        let text = faults.take("text", wire::text(&request.text, CONTENT_CHARACTERS_MAX));
        let once = wire::once(&request.request_id, &request);
        let once = faults.maybe("request_id", once.map_err(|_| Flaw::RequestIdMalformed));
        let text = faults.whole(text)?;
        let (mut tx, report) =
            self.by_slip(cx, &request.query_code, &request.secret, READING).await?;
        if report.state().is_ended() {
            return Err(Error::new(Reason::TransitionIllegal).fact("state", report.state().wire()));
        }
        let request_id = once.map(|once| once.request_id);
        messages::insert(&mut tx, report.id, None, &text, request_id).await?;
        let reply = self.status(&mut tx, report).await?;
        tx.commit().await?;
        Ok(reply)
    }

    /// The report of a code and its secret. What cannot be one is answered like a wrong one.
    pub(super) async fn by_slip(
        &self,
        cx: &Cx,
        code: &str,
        secret: &str,
        (counted, an_hour): Tries,
    ) -> Result<(Tx, ConductReport)> {
        let cx = nobody(cx);
        let wrong = || Error::new(Reason::QueryCodeInvalid);
        let code = Slip::read(code).ok_or_else(wrong)?;
        let secret = Slip::read(secret).ok_or_else(wrong)?;
        let who = format!("{counted} {}", code.letters());
        let fresh_key = cx.ids().bytes();
        self.store.limits().unseen().count(&who, an_hour, cx.now, fresh_key)?;
        let mut tx = self.store.begin(&cx).await?;
        let report = conduct::lock_by_slip(&mut tx, &code, &secret).await?;
        Ok((tx, report))
    }

    /// What a reporter may know. The findings are owed to who gave a name, and to nobody else (facts.md,
    /// 4.5).
    pub(super) async fn status(
        &self,
        tx: &mut Tx,
        report: ConductReport,
    ) -> Result<pb::ConductReportStatus> {
        let vault = self.store.vault();
        let thread = messages::list(tx.conn(), vault, report.id).await?;
        let owed = duties::list(tx.conn(), report.id).await?;
        let open = owed.iter().rev().find(|duty| duty.meet_time.is_none());
        let due_time = open.map(|duty| wire::time(duty.due_time));
        let mut found = conclusions::list(tx.conn(), vault, report.id).await?;
        if !report.real_name {
            found.clear();
        }
        let told = report.real_name || report.state() != ReportState::Concluded;
        let finding = report.finding.filter(|_| told).map(finding_of);
        let conclusions = found.into_iter().map(|found| pb::ConductReportConclusion {
            // A reporter reads no officer's name.
            officer: String::new(),
            ..conclusion_reply(found)
        });
        let brought = pieces::list(tx.conn(), report.id).await?.into_iter();
        let review_until = report.review_until(&self.world.calendar())?;
        Ok(pb::ConductReportStatus {
            state: state_of(&report),
            create_time: Some(wire::time(report.create_time)),
            due_time,
            result: if told { report.result } else { String::new() },
            finding: finding.unwrap_or_default(),
            messages: thread.into_iter().map(message_reply).collect(),
            conclusions: conclusions.collect(),
            evidence: brought.map(evidence_reply).collect(),
            review_due_time: wire::time_of(review_until.filter(|until| tx.now() < *until)),
            review_time: wire::time_of(report.review.map(|review| review.create_time)),
        })
    }
}

/// The same call, as if nobody had made it.
fn nobody(cx: &Cx) -> Cx {
    let mut nobody = cx.clone();
    nobody.actor = Actor::Anonymous;
    nobody.address = None;
    nobody.call = uuid::Uuid::nil();
    nobody
}

fn filing(
    faults: &mut Faults,
    accused: &[pb::Accused],
    content: &str,
    matter: &str,
) -> Option<Filing> {
    faults.check(!accused.is_empty(), "accused", Flaw::Required);
    faults.check(accused.len() <= ACCUSED_MAX, "accused", Flaw::TooMany);
    let mut named = Vec::new();
    for (at, form) in accused.iter().take(ACCUSED_MAX).enumerate() {
        named.extend(meant(faults, &format!("accused[{at}]"), form));
    }
    let content = faults.take("content", wire::text(content, CONTENT_CHARACTERS_MAX));
    let matter = if matter.is_empty() {
        Some(None)
    } else {
        faults.take("matter", matter_of(matter)).map(Some)
    };
    let (content, matter) = (content?, matter?);
    Some(Filing { accused: named, content, matter, identity: None })
}

/// Reads who is meant: at least in words.
pub(super) fn meant(
    faults: &mut Faults,
    path: &str,
    form: &pb::Accused,
) -> Option<(String, Meant)> {
    let text = wire::text_maybe(&form.text, ACCUSED_CHARACTERS_MAX);
    let mut text = faults.take(format!("{path}.text"), text)?;
    let mut meant = Meant::default();
    if !form.officer.is_empty() {
        meant.officer = faults.take(format!("{path}.officer"), Id::parse(&form.officer));
    }
    if !form.unit.is_empty() {
        meant.unit = faults.take(format!("{path}.unit"), Id::parse(&form.unit));
    }
    if !form.police_number.is_empty() {
        // Not judged, and kept as it was meant: one digit that was misread still tells something.
        let number = wire::text(&form.police_number, 20).map(|number| codes::normalise(&number));
        meant.police_number = faults.take(format!("{path}.police_number"), number);
        let number = format!("警号{}", meant.police_number.as_deref().unwrap_or_default());
        text = if text.is_empty() { number } else { format!("{text}({number})") };
    }
    // A name that cannot be read is told at its field.
    let said = !(text.is_empty() && form.officer.is_empty() && form.unit.is_empty());
    faults.check(said, path, Flaw::Required);
    said.then_some((text, meant))
}

fn matter_of(name: &str) -> Result<(String, uuid::Uuid), Flaw> {
    let (collection, _) = name.split_once('/').ok_or(Flaw::NameMalformed)?;
    let id = match collection {
        kind::Complaint::NAME => Id::<kind::Complaint>::parse(name)?.uuid(),
        kind::Conversation::NAME => Id::<kind::Conversation>::parse(name)?.uuid(),
        kind::PassApplication::NAME => Id::<kind::PassApplication>::parse(name)?.uuid(),
        _ => return Err(Flaw::NameMalformed),
    };
    Ok((collection.to_owned(), id))
}
