//! The scenes of the direct line (警务直通车), in order: scan, bind, ask out of hours, automatic
//! reply, claim, pass card, hand-over, close, rating.

use anyhow::{Context as _, ensure};
use jiff::civil::Weekday;
use tonic::Streaming;

use super::{Stage, people::Person, say, scene, story};
use crate::{
    domain::{duty::month, pass::qr::QrPicture},
    sandbox::city,
    service::pb::{self, watch_messages_response::Event},
};

/// Who plays.
struct Cast {
    boss: Person,
    leader: Person,
    first: Person,
    second: Person,
    enterprise: String,
    pass: String,
}

/// Tells the whole story.
pub(super) async fn tell(stage: &Stage) -> anyhow::Result<()> {
    say("警企通导览:警务直通车,从扫码到评价");
    let cast = cast(stage).await?;
    let post = post(stage, &cast).await?;
    bind(&cast, &post).await?;
    let conversation = ask(stage, &cast, &post).await?;
    let mut line = watch(&cast.boss, &conversation).await?;
    let post = answer(stage, &cast, post, &conversation).await?;
    hand_over(&cast, &post, &conversation).await?;
    close(&cast, &conversation).await?;
    read(&mut line).await?;
    say("\n导览结束。同一会话也可经 WebSocket 收发:见 src/web/line.rs 开头");
    Ok(())
}

async fn cast(stage: &Stage) -> anyhow::Result<Cast> {
    let boss = stage.person(city::BOSS).await?;
    let mine = boss.passes().list_truck_passes(pb::ListTruckPassesRequest::default()).await?;
    let standing = mine
        .into_inner()
        .truck_passes
        .into_iter()
        .find(|pass| pass.state() == pb::truck_pass::State::Active);
    let (enterprise, pass) = if let Some(pass) = standing {
        (pass.enterprise, pass.name)
    } else {
        let truck = story::garage(stage, &boss).await?;
        let application = story::apply(stage, &boss, &truck).await?;
        let pass = story::decide(stage, &boss, application).await?;
        (truck.enterprise, pass.name)
    };
    Ok(Cast {
        leader: stage.officer(&city::LEADER).await?,
        first: stage.officer(&city::LIAISON).await?,
        second: stage.officer(&city::LIAISON_2).await?,
        boss,
        enterprise,
        pass,
    })
}

/// The name of whoever is signed in.
async fn own_name(person: &Person) -> anyhow::Result<String> {
    let account = person.identity().get_account(pb::GetAccountRequest {}).await?;
    Ok(account.into_inner().name)
}

/// A post that is off duty today, so that the first question comes out of hours at any time.
async fn post(stage: &Stage, cast: &Cast) -> anyhow::Result<pb::LiaisonPost> {
    scene(1, "单位设立警务专员岗位,安排两名专员");
    let units = cast.leader.organisation().list_units(pb::ListUnitsRequest {}).await?.into_inner();
    let unit = units.units.into_iter().find(|unit| unit.display_name.contains("宿城大队"));
    let unit = unit.context("演示城市未加载:deploy/run demo city")?;
    let today = month::local_date(stage.clock.now()).weekday();
    let others = [1, 2, 3, 4, 5, 6, 7].into_iter().filter(|day| *day != number(today));
    let request = pb::CreateLiaisonPostRequest {
        liaison_post: Some(pb::LiaisonPost {
            unit: unit.name,
            display_name: "宿城区警务专员岗(演示)".to_owned(),
            mode: pb::liaison_post::Mode::CityWide.into(),
            duty_hours: vec![all_day(others.collect())],
            ..pb::LiaisonPost::default()
        }),
        ..Default::default()
    };
    let mut post = cast.leader.liaison().create_liaison_post(request).await?.into_inner();
    for officer in [&cast.first, &cast.second] {
        let request = pb::AssignLiaisonOfficerRequest {
            name: post.name.clone(),
            officer: own_name(officer).await?,
            ..Default::default()
        };
        post = cast.leader.liaison().assign_liaison_officer(request).await?.into_inner();
        let present = pb::SetPresenceRequest { present: true };
        officer.conversations().set_presence(present).await?;
    }
    say(&format!("  {},模式:全域帮办,今日不值班", post.display_name));
    for officer in &post.roster {
        say(&format!("  专员:{}(警号 {})", officer.display_name, officer.police_number));
    }
    Ok(post)
}

fn number(day: Weekday) -> i32 {
    i32::from(day.to_monday_one_offset())
}

fn all_day(weekdays: Vec<i32>) -> pb::TimeWindow {
    pb::TimeWindow { weekdays, from_minute: 0, until_minute: 1_440 }
}

async fn bind(cast: &Cast, post: &pb::LiaisonPost) -> anyhow::Result<()> {
    scene(2, "民警出示添加码,企业扫码,一键添加");
    let request = pb::IssueBindingCodeRequest { liaison_post: post.name.clone() };
    let code = cast.first.liaison().issue_binding_code(request).await?.into_inner();
    say(&QrPicture::of(&code.text)?.terminal());
    say("  签名添加码,5 分钟内有效,只能绑定一家企业");
    let read = pb::ReadBindingCodeRequest { text: code.text.clone() };
    let shown = cast.boss.liaison().read_binding_code(read).await?.into_inner();
    say(&format!("  企业端看到:{},{} 名专员,请确认", shown.display_name, shown.roster.len()));
    let confirm = pb::ConfirmLiaisonBindingRequest {
        text: code.text.clone(),
        enterprise: cast.enterprise.clone(),
        ..Default::default()
    };
    let bound = cast.boss.liaison().confirm_liaison_binding(confirm.clone()).await?.into_inner();
    say(&format!("  已绑定({})", bound.source));
    let again = cast.boss.liaison().confirm_liaison_binding(confirm).await;
    ensure!(again.is_err(), "一个添加码绑定了两次");
    say("  同一添加码再次使用:已拒绝");
    Ok(())
}

async fn ask(stage: &Stage, cast: &Cast, post: &pb::LiaisonPost) -> anyhow::Result<String> {
    scene(3, "企业在非值班时间提问,系统自动答复");
    let request = pb::CreateConversationRequest {
        conversation: Some(pb::Conversation {
            enterprise: cast.enterprise.clone(),
            liaison_post: post.name.clone(),
            title: "通行证使用咨询".to_owned(),
            ..pb::Conversation::default()
        }),
        ..Default::default()
    };
    let opened = cast.boss.conversations().create_conversation(request).await?.into_inner();
    let sent = send(stage, &cast.boss, text(&opened.name, "明早七点半能走洋河大道吗?")).await?;
    say(&format!("  企业:{}(第 {} 条,已入库后确认)", sent.text, sent.sequence));
    let get = pb::GetConversationRequest { name: opened.name.clone() };
    let waiting = cast.boss.conversations().get_conversation(get).await?.into_inner();
    ensure!(waiting.last_sequence == 3, "没有自动答复");
    Ok(opened.name)
}

async fn watch(
    boss: &Person,
    conversation: &str,
) -> anyhow::Result<Streaming<pb::WatchMessagesResponse>> {
    let request =
        pb::WatchMessagesRequest { conversation: conversation.to_owned(), after_sequence: 0 };
    Ok(boss.conversations().watch_messages(request).await?.into_inner())
}

async fn answer(
    stage: &Stage,
    cast: &Cast,
    post: pb::LiaisonPost,
    conversation: &str,
) -> anyhow::Result<pb::LiaisonPost> {
    scene(4, "岗位上班,民警接手,用通行证卡片答复");
    let request = pb::UpdateLiaisonPostRequest {
        liaison_post: Some(pb::LiaisonPost {
            duty_hours: vec![all_day((1..=7).collect())],
            ..post
        }),
        ..Default::default()
    };
    let post = cast.leader.liaison().update_liaison_post(request).await?.into_inner();
    let queue = pb::ListConversationQueueRequest::default();
    let queue = cast.first.conversations().list_conversation_queue(queue).await?.into_inner();
    say(&format!("  队列中 {} 个会话,先到先接", queue.conversations.len()));
    let claim =
        pb::ClaimConversationRequest { name: conversation.to_owned(), ..Default::default() };
    cast.first.conversations().claim_conversation(claim).await?;
    let refused = send(stage, &cast.first, text(conversation, "请打张师傅电话13905240001")).await;
    ensure!(refused.is_err(), "第三人手机号未被提醒");
    say("  民警输入第三人手机号:发送前已提醒,未发出");
    let card = pb::SendMessageRequest {
        conversation: conversation.to_owned(),
        kind: pb::MessageKind::PassCard.into(),
        card: cast.pass.clone(),
        text: "您的通行证9:00至17:00可走洋河大道,7:30在早高峰内,请避开。".to_owned(),
        ..pb::SendMessageRequest::default()
    };
    let sent = send(stage, &cast.first, card).await?;
    say(&format!("  民警(第 {} 条):{} [卡片 {}]", sent.sequence, sent.text, sent.card));
    Ok(post)
}

async fn hand_over(cast: &Cast, post: &pb::LiaisonPost, conversation: &str) -> anyhow::Result<()> {
    scene(5, "岗位交接:历史保留,原民警立即失去权限");
    let request = pb::HandOverLiaisonPostRequest {
        name: post.name.clone(),
        officer: own_name(&cast.first).await?,
        successor: own_name(&cast.second).await?,
        note: "岗位调整(演示)".to_owned(),
        ..Default::default()
    };
    cast.leader.liaison().hand_over_liaison_post(request).await?;
    let list = |after_sequence| pb::ListMessagesRequest {
        conversation: conversation.to_owned(),
        after_sequence,
        ..Default::default()
    };
    let old = cast.first.conversations().list_messages(list(0)).await;
    let old = old.err().context("原民警仍能读取")?;
    say(&format!("  原民警再读:{}", old.message()));
    let history = cast.second.conversations().list_messages(list(0)).await?.into_inner();
    say(&format!("  新民警看到全部 {} 条历史", history.messages.len()));
    Ok(())
}

async fn close(cast: &Cast, conversation: &str) -> anyhow::Result<()> {
    scene(6, "办结,企业评价");
    let request = pb::CloseConversationRequest {
        name: conversation.to_owned(),
        summary: "已说明通行时段".to_owned(),
        ..Default::default()
    };
    cast.second.conversations().close_conversation(request).await?;
    let rate = pb::RateConversationRequest {
        name: conversation.to_owned(),
        level: pb::SatisfactionLevel::VerySatisfied.into(),
        solved: true,
        comment: "答复及时".to_owned(),
        ..Default::default()
    };
    let rated = cast.boss.conversations().rate_conversation(rate).await?.into_inner();
    let rating = rated.rating.context("没有评价")?;
    say(&format!(
        "  {},已解决:{},「{}」",
        rating.level().as_str_name(),
        rating.solved,
        rating.comment
    ));
    Ok(())
}

/// What the enterprise's phone has seen on its stream.
async fn read(line: &mut Streaming<pb::WatchMessagesResponse>) -> anyhow::Result<()> {
    scene(7, "企业手机上的全过程(一条不少,序号连续)");
    let mut expected = 1;
    while let Some(item) = line.message().await? {
        let Some(Event::Message(message)) = item.event else { continue };
        ensure!(message.sequence == expected, "序号不连续:{}", message.sequence);
        expected += 1;
        let sender = match message.sender.split('/').next() {
            Some("persons") => "企业",
            Some("officers") => "民警",
            _ => "系统",
        };
        say(&format!("  {:>2} {sender}:{}", message.sequence, message.text));
        if message.notice_code == "CLOSED" {
            break;
        }
    }
    Ok(())
}

fn text(conversation: &str, words: &str) -> pb::SendMessageRequest {
    pb::SendMessageRequest {
        conversation: conversation.to_owned(),
        kind: pb::MessageKind::Text.into(),
        text: words.to_owned(),
        ..pb::SendMessageRequest::default()
    }
}

async fn send(
    stage: &Stage,
    person: &Person,
    message: pb::SendMessageRequest,
) -> anyhow::Result<pb::Message> {
    let client_message_id = stage.ids.random().to_string();
    let message = pb::SendMessageRequest { client_message_id, ..message };
    Ok(person.conversations().send_message(message).await?.into_inner())
}
