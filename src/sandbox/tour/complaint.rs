//! The scenes of a complaint (企业诉求闭环), in order: file, take in, assign, sign, answer, a
//! dissatisfied rating, the second handling by another officer, a satisfied close, the figures.

use anyhow::{Context as _, ensure};
use jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};

use super::{Stage, people::Person, say, scene, story};
use crate::{
    domain::{
        complaint::ComplaintState,
        duty::month::{local_date, start_of_day},
    },
    sandbox::city,
    service::pb::{
        self, SatisfactionLevel as Level, complaint::State, get_service_figures_request::Grouping,
    },
};

/// Who plays.
struct Cast {
    boss: Person,
    assigner: Person,
    first: Person,
    second: Person,
    director: Person,
    enterprise: String,
}

/// Tells the whole story.
pub(super) async fn tell(stage: &Stage) -> anyhow::Result<()> {
    say("警企通导览:企业诉求闭环,受理、交办、承办、反馈、评价");
    let cast = cast(stage).await?;
    let filed = file(&cast).await?;
    let assigned = take_in(&cast, &filed).await?;
    scene(3, "承办民警签收、反馈,交办人审核");
    handle(&cast, &cast.first, &assigned, "已协调企业错峰装卸。").await?;
    dissatisfied(&cast, &filed.name).await?;
    again(&cast, &filed.name).await?;
    timeline(&cast, &filed.name).await?;
    figures(stage, &cast).await?;
    say("\n导览结束。件件有结果,事事有回音。");
    Ok(())
}

async fn cast(stage: &Stage) -> anyhow::Result<Cast> {
    let boss = stage.person(city::BOSS).await?;
    let enterprise = story::enterprise(stage, &boss).await?.name;
    Ok(Cast {
        assigner: stage.officer(&city::ASSIGNER).await?,
        first: stage.officer(&city::HANDLER).await?,
        second: stage.officer(&city::HANDLER_2).await?,
        director: stage.officer(&city::DIRECTOR).await?,
        boss,
        enterprise,
    })
}

/// Local time, to the minute. A limit in days ends at 24:00.
fn until(at: Option<prost_types::Timestamp>) -> String {
    let at = at.and_then(|at| Timestamp::new(at.seconds, 0).ok()).unwrap_or_default();
    let shanghai = TimeZone::fixed(jiff::tz::offset(8));
    let local = at.to_zoned(shanghai.clone());
    if local.hour() == 0 && local.minute() == 0 {
        let day = (at - SignedDuration::from_secs(1)).to_zoned(shanghai);
        return format!("{} 24:00", day.strftime("%Y-%m-%d"));
    }
    local.strftime("%Y-%m-%d %H:%M").to_string()
}

fn told(complaint: &pb::Complaint) {
    let state = ComplaintState::from_wire(complaint.state().as_str_name());
    let state = state.map(ComplaintState::zh).unwrap_or_default();
    say(&format!("  {}  状态:{state}", complaint.number));
}

/// What is owed now, with its limits.
fn owed(complaint: &pb::Complaint) {
    for owed in &complaint.obligations {
        let what = match owed.kind.as_str() {
            "ACCEPT_COMPLAINT" => "受理",
            "ASSIGN_COMPLAINT" => "交办",
            "SIGN_COMPLAINT" => "签收",
            "HANDLE_COMPLAINT" => "办理",
            "REVIEW_FEEDBACK" => "审核反馈",
            _ => "督办",
        };
        if owed.standing.starts_with("MET") || owed.standing == "VOID" {
            continue;
        }
        let limits = match owed.internal_due_time {
            None => String::new(),
            internal => format!("(内部 {},法定 {})", until(internal), until(owed.legal_due_time)),
        };
        say(&format!("  时限:{what},{}{limits}", until(owed.due_time)));
    }
}

fn step(name: &str, note: &str) -> pb::MoveComplaintRequest {
    pb::MoveComplaintRequest { name: name.to_owned(), note: note.to_owned(), ..Default::default() }
}

async fn file(cast: &Cast) -> anyhow::Result<pb::Complaint> {
    scene(1, "企业在小程序提交诉求");
    let wrong = pb::FileComplaintRequest {
        complaint: Some(pb::Complaint {
            enterprise: cast.enterprise.clone(),
            ..Default::default()
        }),
        ..Default::default()
    };
    ensure!(cast.boss.complaints().file_complaint(wrong).await.is_err(), "空白诉求被受理");
    say("  空白诉求:已一次性告知类别、标题、内容三处缺项");
    let request = pb::FileComplaintRequest {
        complaint: Some(pb::Complaint {
            enterprise: cast.enterprise.clone(),
            category: pb::complaint::Category::Help.into(),
            title: "厂区门口早高峰限行影响卸货".to_owned(),
            content: "原料车只能在早上七点到厂,请协调增加卸货时段。".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let filed = cast.boss.complaints().file_complaint(request).await?.into_inner();
    told(&filed);
    Ok(filed)
}

async fn take_in(cast: &Cast, filed: &pb::Complaint) -> anyhow::Result<pb::Complaint> {
    scene(2, "受理并交办");
    let accept = pb::AcceptComplaintRequest { name: filed.name.clone(), ..Default::default() };
    let accepted = cast.assigner.complaints().accept_complaint(accept).await?.into_inner();
    told(&accepted);
    owed(&accepted);
    let assigned = assign(cast, &filed.name).await?;
    told(&assigned);
    owed(&assigned);
    Ok(assigned)
}

async fn assign(cast: &Cast, name: &str) -> anyhow::Result<pb::Complaint> {
    let units = cast.assigner.organisation().list_units(pb::ListUnitsRequest {}).await?;
    let mut units = units.into_inner().units.into_iter();
    let brigade = units.find(|unit| unit.display_name.ends_with("宿城大队"));
    let brigade = brigade.context("演示城市未加载:deploy/run demo city")?;
    let request = pb::AssignComplaintRequest {
        name: name.to_owned(),
        lead_unit: brigade.name,
        note: "请先与企业联系,再现场查看".to_owned(),
        ..Default::default()
    };
    say(&format!("  交办单位:{}", brigade.display_name));
    Ok(cast.assigner.complaints().assign_complaint(request).await?.into_inner())
}

/// Signs, answers, and lets the assigner judge the answer.
async fn handle(
    cast: &Cast,
    handler: &Person,
    complaint: &pb::Complaint,
    answer: &str,
) -> anyhow::Result<()> {
    let name = &complaint.name;
    let signed = handler.complaints().sign_complaint(step(name, "")).await?.into_inner();
    told(&signed);
    let feedback = pb::SubmitComplaintFeedbackRequest {
        name: name.clone(),
        feedback: answer.to_owned(),
        note: "已电话联系企业负责人".to_owned(),
        ..Default::default()
    };
    let answered = handler.complaints().submit_complaint_feedback(feedback).await?.into_inner();
    let review = |by: &Person| {
        let request = pb::ReviewComplaintFeedbackRequest {
            name: name.clone(),
            approved: true,
            etag: answered.etag.clone(),
            ..Default::default()
        };
        let mut client = by.complaints();
        async move { client.review_complaint_feedback(request).await }
    };
    ensure!(review(handler).await.is_err(), "承办人审核了自己的反馈");
    say("  承办人不能审核自己的反馈:已拒绝");
    let given = review(&cast.assigner).await?.into_inner();
    told(&given);
    say(&format!("  反馈:{}", given.feedback));
    Ok(())
}

async fn rate(cast: &Cast, name: &str, level: Level, comment: &str) -> anyhow::Result<()> {
    let request = pb::ListEvaluationsRequest {
        state: pb::service_evaluation::State::Invited.into(),
        ..Default::default()
    };
    let asked = cast.boss.evaluations().list_evaluations(request).await?.into_inner().evaluations;
    let asked = asked.into_iter().find(|asked| asked.subject == name);
    let asked = asked.context("没有自动生成回访")?;
    say(&format!("  回访已自动生成,{} 前未评价按「未评价」办结", until(asked.due_time)));
    let request = pb::SubmitEvaluationRequest {
        name: asked.name,
        level: level.into(),
        solved: comment.is_empty(),
        comment: comment.to_owned(),
        ..Default::default()
    };
    cast.boss.evaluations().submit_evaluation(request).await?;
    Ok(())
}

async fn dissatisfied(cast: &Cast, name: &str) -> anyhow::Result<()> {
    scene(4, "企业评价:不满意");
    rate(cast, name, Level::Dissatisfied, "只协调了一天,第二天又被劝返").await?;
    let get = pb::GetComplaintRequest { name: name.to_owned() };
    let again = cast.assigner.complaints().get_complaint(get).await?.into_inner();
    ensure!(again.state() == State::Reopened, "不满意没有重新办理");
    told(&again);
    say(&format!("  第 {} 次重办,须由另一名民警办理", again.round));
    owed(&again);
    Ok(())
}

async fn again(cast: &Cast, name: &str) -> anyhow::Result<()> {
    scene(5, "另一名民警第二次办理,企业满意,办结");
    let assigned = assign(cast, name).await?;
    let same = cast.first.complaints().sign_complaint(step(name, "")).await;
    ensure!(same.is_err(), "原承办人签收了重办件");
    say("  原承办人再次签收:已拒绝");
    let answer = "已会同城管核定固定卸货时段,通行证已同步更新。";
    handle(cast, &cast.second, &assigned, answer).await?;
    rate(cast, name, Level::VerySatisfied, "").await?;
    let get = pb::GetComplaintRequest { name: name.to_owned() };
    let closed = cast.boss.complaints().get_complaint(get).await?.into_inner();
    ensure!(closed.state() == State::Closed, "满意之后没有办结");
    told(&closed);
    Ok(())
}

async fn timeline(cast: &Cast, name: &str) -> anyhow::Result<()> {
    scene(6, "企业看到的办理过程(不含内部批注)");
    let request = pb::GetComplaintRequest { name: name.to_owned() };
    let listed = cast.boss.complaints().list_complaint_changes(request).await?.into_inner();
    for change in listed.changes {
        let state = ComplaintState::from_wire(&change.to_state).map(ComplaintState::zh);
        let note = if change.public_note.is_empty() {
            String::new()
        } else {
            format!(":{}", change.public_note)
        };
        say(&format!("  {} {}{note}", until(change.create_time), state.unwrap_or_default()));
    }
    Ok(())
}

async fn figures(stage: &Stage, cast: &Cast) -> anyhow::Result<()> {
    scene(7, "服务台数据:按期、一次办结、实际解决、满意(小于 3 的数不显示)");
    let now = stage.clock.now();
    let stamp = |at: Timestamp| Some(prost_types::Timestamp { seconds: at.as_second(), nanos: 0 });
    // Whole months: what is left of another one would be too few to be told.
    let from = local_date(now).first_of_month().checked_sub(2.months())?;
    let request = pb::GetServiceFiguresRequest {
        from_time: stamp(start_of_day(from)),
        until_time: stamp(now + SignedDuration::from_hours(1)),
        grouping: Grouping::Month.into(),
    };
    let export = cast.director.evaluations().export_service_figures(request).await?.into_inner();
    for line in export.csv.trim_start_matches('\u{feff}').lines() {
        say(&format!("  {line}"));
    }
    Ok(())
}
