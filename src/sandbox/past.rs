//! The past of the demo city's service desk: complaints of the last three months, told to the
//! services themselves at the instants of the past, so that its figures have something to count.

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tonic::Request;
use uuid::Uuid;

use super::city::{self, Account};
use crate::{
    actor::{Actor, Membership, Role, Scope},
    context::Cx,
    domain::{codes::Phone, duty::month},
    id::Id,
    parts::Parts,
    service::{
        common::evaluations::Evaluations,
        complaint::complaints::Complaints,
        enterprise::enterprises::Enterprises,
        pass::applications::Applications,
        pb::{
            self, SatisfactionLevel as Level, complaint_service_server::ComplaintService as _,
            enterprise_service_server::EnterpriseService as _,
            evaluation_service_server::EvaluationService as _,
            pass_application_service_server::PassApplicationService as _,
        },
    },
    store::identity::{officers, persons, units},
};

/// How many complaints there were.
const COMPLAINTS: i64 = 48;
/// In how many days before now.
const DAYS: i64 = 90;

/// What was asked, by category.
const ASKED: &[(pb::complaint::Category, &str, &str)] = &[
    (pb::complaint::Category::Help, "厂区门前违停影响装卸", "门前路段长期有车违停,货车进出困难。"),
    (
        pb::complaint::Category::Consultation,
        "咨询通行证续办材料",
        "通行证下月到期,续办需要哪些材料?",
    ),
    (pb::complaint::Category::Complaint, "窗口等候时间过长", "上午排队两小时才办上业务。"),
    (pb::complaint::Category::Suggestion, "建议增设夜间卸货点", "建议在物流园附近增设夜间卸货点。"),
];

/// The people of the desk, and the enterprise that asks.
struct Desk {
    rooms: Rooms,
    assigner: Actor,
    handlers: [Actor; 2],
    boss: Actor,
    enterprise: String,
    lead_unit: String,
    parts: Parts,
}

struct Rooms {
    complaints: Complaints,
    evaluations: Evaluations,
}

/// Loads the past, once: with the city.
///
/// # Errors
/// When PostgreSQL is away, or a step is refused.
pub async fn load(parts: &Parts) -> anyhow::Result<()> {
    // One officer does in a second what took three months.
    let mut parts = parts.clone();
    parts.store = parts.store.with_limits_factor(10_000);
    let now = parts.clock.now();
    let desk = desk(&parts, now - SignedDuration::from_hours(24 * (DAYS + 1))).await?;
    for nth in 0..COMPLAINTS {
        let days = DAYS - nth * DAYS / COMPLAINTS;
        let morning =
            month::start_of_day(month::local_date(now - SignedDuration::from_hours(24 * days)));
        let filed = morning + SignedDuration::from_mins(9 * 60 + 7 * (nth % 20));
        if filed < now {
            desk.play(nth, filed, now).await.with_context(|| format!("complaint {nth}"))?;
        }
    }
    Ok(())
}

async fn desk(parts: &Parts, at: Timestamp) -> anyhow::Result<Desk> {
    let assigner = officer(parts, &city::ASSIGNER).await?;
    let handlers = [officer(parts, &city::HANDLER).await?, officer(parts, &city::HANDLER_2).await?];
    let Actor::Officer { unit, .. } = &handlers[0] else { anyhow::bail!("a handler has a unit") };
    let lead_unit = unit.to_string();
    let (boss, enterprise) = enterprise(parts, at).await?;
    let rooms = Rooms { complaints: Complaints::new(parts), evaluations: Evaluations::new(parts) };
    Ok(Desk { rooms, assigner, handlers, boss, enterprise, lead_unit, parts: parts.clone() })
}

/// An officer of the demo city, as the gate would say who asks.
async fn officer(parts: &Parts, account: &Account) -> anyhow::Result<Actor> {
    let everything = Scope::everything("the demo city is loaded for nobody");
    let mut connection = parts.store.read().await?;
    let vault = parts.store.vault();
    let all = officers::list(&mut connection, vault, None, &everything, None, 1_000).await?;
    let found = all.into_iter().find(|found| found.police_number == account.police_number);
    let found = found.context("an officer of the demo city")?;
    let unit = units::get(&mut connection, found.unit, &everything).await?;
    Ok(Actor::Officer {
        officer: found.id,
        session: Id::of(Uuid::nil()),
        unit: unit.id,
        unit_path: unit.reach,
        roles: found.roles,
        opened: Vec::new(),
    })
}

/// An enterprise that has long been registered, and its legal representative.
async fn enterprise(parts: &Parts, at: Timestamp) -> anyhow::Result<(Actor, String)> {
    let cx = Cx::job("demo-city", at, parts.ids.clone());
    let mut tx = parts.store.begin(&cx).await?;
    let person = persons::sign_in(&mut tx, "demo-past").await?;
    let phone = Phone::parse("13905240099").map_err(|flaw| anyhow::anyhow!(flaw.wire()))?;
    persons::save_phone(&mut tx, person, &phone).await?;
    tx.commit().await?;
    let actor = |memberships| Actor::Person {
        person,
        session: Id::of(Uuid::nil()),
        memberships,
        drives: false,
    };
    let room = Enterprises::new(parts);
    let create = pb::CreateEnterpriseRequest {
        enterprise: Some(pb::Enterprise {
            uscc: "91321302MA1XQ0000N".to_owned(),
            display_name: "宿迁恒丰包装有限公司(演示)".to_owned(),
            division_code: "321302".to_owned(),
            ..Default::default()
        }),
        legal_representative_name: "李秀英".to_owned(),
        legal_representative_id: "32132419880808004X".to_owned(),
        licence: licence(parts, &actor(Vec::new()), at).await?,
        ..Default::default()
    };
    let asked = asked(parts, actor(Vec::new()), at, create);
    let created = room.create_enterprise(asked).await?.into_inner();
    let prepare = pb::PrepareEnterpriseRequest {
        name: created.name.clone(),
        note: "营业执照与填报内容一致".to_owned(),
        etag: created.etag,
        ..Default::default()
    };
    let clerk = officer(parts, &city::CLERK).await?;
    let prepare = self::asked(parts, clerk, at, prepare);
    let prepared = room.prepare_enterprise(prepare).await?.into_inner();
    let verify = pb::VerifyEnterpriseRequest {
        name: created.name.clone(),
        note: "已核对营业执照".to_owned(),
        etag: prepared.etag,
        ..Default::default()
    };
    let reviewer = officer(parts, &city::SECOND_REVIEWER).await?;
    room.verify_enterprise(self::asked(parts, reviewer, at, verify)).await?;
    let membership = Membership {
        enterprise: Id::parse(&created.name).map_err(|flaw| anyhow::anyhow!(flaw.wire()))?,
        role: Role::LegalRepresentative,
        scope: Vec::new(),
    };
    Ok((actor(vec![membership]), created.name))
}

/// The business licence of the enterprise, as its claimer brings it.
async fn licence(parts: &Parts, claimer: &Actor, at: Timestamp) -> anyhow::Result<String> {
    let content = b"%PDF-1.7\n% BUSINESS_LICENCE".to_vec();
    let room = Applications::new(parts);
    let create = pb::CreateAttachmentRequest {
        attachment: Some(pb::Attachment {
            kind: "BUSINESS_LICENCE".to_owned(),
            content_type: "application/pdf".to_owned(),
            size_bytes: i64::try_from(content.len())?,
            sha256: Sha256::digest(&content).to_vec(),
            file_name: "营业执照.pdf".to_owned(),
            ..pb::Attachment::default()
        }),
        ..pb::CreateAttachmentRequest::default()
    };
    let create = asked(parts, claimer.clone(), at, create);
    let name = room.create_attachment(create).await?.into_inner().name;
    let chunk = pb::UploadAttachmentChunkRequest { name: name.clone(), offset: 0, data: content };
    room.upload_attachment_chunk(asked(parts, claimer.clone(), at, chunk)).await?;
    let complete = pb::CompleteAttachmentRequest { name: name.clone() };
    room.complete_attachment(asked(parts, claimer.clone(), at, complete)).await?;
    Ok(name)
}

/// A request as the gate hands it on.
fn asked<T>(parts: &Parts, actor: Actor, at: Timestamp, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let cx = Cx::new(actor, at, "demo-city", parts.ids.clone());
    request.extensions_mut().insert(cx);
    request
}

impl Desk {
    fn by<T>(&self, actor: &Actor, at: Timestamp, message: T) -> Request<T> {
        asked(&self.parts, actor.clone(), at, message)
    }

    /// One complaint, as far as it has come by now: mostly answered in time and satisfied, some late,
    /// some handled twice, some not rated, the youngest still open.
    async fn play(&self, nth: i64, filed: Timestamp, now: Timestamp) -> anyhow::Result<()> {
        let name = self.file(nth, filed).await?;
        let hours = |hours| filed + SignedDuration::from_hours(hours);
        if nth + 1 == COMPLAINTS || hours(2) >= now {
            return Ok(());
        }
        self.accept(&name, hours(1)).await?;
        let late = nth % 11 == 7;
        let answered = hours(if late { 24 * 11 } else { 26 });
        let handler = &self.handlers[0];
        self.assign(&name, hours(2)).await?;
        self.sign(handler, &name, hours(3)).await?;
        if answered >= now {
            return Ok(());
        }
        self.answer(handler, &name, answered).await?;
        let rated = answered + SignedDuration::from_hours(20);
        if nth % 5 == 4 || rated >= now {
            return Ok(());
        }
        if nth % 7 == 3 {
            self.rate(&name, rated, Level::Dissatisfied, "没有实际解决").await?;
            let handler = &self.handlers[1];
            let later = |hours| rated + SignedDuration::from_hours(hours);
            if later(30) >= now {
                return Ok(());
            }
            self.assign(&name, later(1)).await?;
            self.sign(handler, &name, later(2)).await?;
            self.answer(handler, &name, later(25)).await?;
            return self.rate(&name, later(30), Level::Satisfied, "").await;
        }
        let levels = [Level::VerySatisfied, Level::Satisfied, Level::BasicallySatisfied];
        let level = levels.iter().cycle().nth(usize::try_from(nth)?).copied();
        self.rate(&name, rated, level.unwrap_or(Level::Satisfied), "").await
    }

    async fn file(&self, nth: i64, at: Timestamp) -> anyhow::Result<String> {
        let (category, title, content) =
            ASKED.iter().cycle().nth(usize::try_from(nth)?).context("what was asked")?;
        let request = pb::FileComplaintRequest {
            complaint: Some(pb::Complaint {
                enterprise: self.enterprise.clone(),
                category: (*category).into(),
                title: (*title).to_owned(),
                content: (*content).to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let request = self.by(&self.boss, at, request);
        Ok(self.rooms.complaints.file_complaint(request).await?.into_inner().name)
    }

    async fn accept(&self, name: &str, at: Timestamp) -> anyhow::Result<()> {
        let request = pb::AcceptComplaintRequest { name: name.to_owned(), ..Default::default() };
        self.rooms.complaints.accept_complaint(self.by(&self.assigner, at, request)).await?;
        Ok(())
    }

    async fn assign(&self, name: &str, at: Timestamp) -> anyhow::Result<()> {
        let request = pb::AssignComplaintRequest {
            name: name.to_owned(),
            lead_unit: self.lead_unit.clone(),
            ..Default::default()
        };
        self.rooms.complaints.assign_complaint(self.by(&self.assigner, at, request)).await?;
        Ok(())
    }

    async fn sign(&self, handler: &Actor, name: &str, at: Timestamp) -> anyhow::Result<()> {
        let request = pb::MoveComplaintRequest { name: name.to_owned(), ..Default::default() };
        self.rooms.complaints.sign_complaint(self.by(handler, at, request)).await?;
        Ok(())
    }

    async fn answer(&self, handler: &Actor, name: &str, at: Timestamp) -> anyhow::Result<()> {
        let request = pb::SubmitComplaintFeedbackRequest {
            name: name.to_owned(),
            feedback: "已与企业联系,问题已现场处理并回复。".to_owned(),
            ..Default::default()
        };
        let answer = self.by(handler, at, request);
        let answered = self.rooms.complaints.submit_complaint_feedback(answer).await?.into_inner();
        let request = pb::ReviewComplaintFeedbackRequest {
            name: name.to_owned(),
            approved: true,
            etag: answered.etag,
            ..Default::default()
        };
        let at = at + SignedDuration::from_hours(1);
        self.rooms
            .complaints
            .review_complaint_feedback(self.by(&self.assigner, at, request))
            .await?;
        Ok(())
    }

    async fn rate(
        &self,
        name: &str,
        at: Timestamp,
        level: Level,
        comment: &str,
    ) -> anyhow::Result<()> {
        let request = pb::ListEvaluationsRequest {
            state: pb::service_evaluation::State::Invited.into(),
            page_size: 100,
            ..Default::default()
        };
        let listed =
            self.rooms.evaluations.list_evaluations(self.by(&self.boss, at, request)).await?;
        let mut listed = listed.into_inner().evaluations.into_iter();
        let asked = listed.find(|asked| asked.subject == name).context("an evaluation")?;
        let request = pb::SubmitEvaluationRequest {
            name: asked.name,
            level: level.into(),
            solved: comment.is_empty(),
            comment: comment.to_owned(),
            ..Default::default()
        };
        self.rooms.evaluations.submit_evaluation(self.by(&self.boss, at, request)).await?;
        Ok(())
    }
}
