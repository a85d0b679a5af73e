//! Who serves whom: posts, rosters, bindings by grant, district, industry and by the officer's code.
//! And the desk that the conversation tests sit at.

use jiff::SignedDuration;
use jingqi::surface::service::pb;
use sqlx::PgPool;
use tonic::Code;

use crate::harness::{App, City, User, fields, reason, request_id};

/// A post with two officers at the desk, a leader, and two people of the enterprise.
pub struct Desk {
    pub city: City,
    pub leader: User,
    pub ann: User,
    pub ben: User,
    pub inspector: User,
    /// The legal representative.
    pub boss: User,
    /// A handler for LIAISON.
    pub talker: User,
    /// The post.
    pub post: String,
}

impl App {
    /// Puts a desk into a city; the post is bound to the enterprise by grant.
    pub async fn desk(&self) -> Desk {
        let city = self.city().await;
        let brigade: (uuid::Uuid, String) =
            sqlx::query_as("select id, path from unit where code = '321302170000'")
                .fetch_one(self.parts.store.pool())
                .await
                .unwrap();
        let leader = self.officer("200001", &brigade, &["UNIT_LEADER"]).await;
        let ann = self.officer("200002", &brigade, &["LIAISON_OFFICER"]).await;
        let ben = self.officer("200003", &brigade, &["LIAISON_OFFICER"]).await;
        let inspector = self.officer("200004", &brigade, &["INSPECTOR"]).await;
        let talker = self.person().await;
        self.member(city.enterprise, talker, "ENTERPRISE_HANDLER", &["LIAISON"]).await;
        let talker = self.user(talker).await;
        let boss = city.boss.clone();
        let post = create_post(&leader, &format!("units/{}", brigade.0)).await.name;
        for officer in [&ann, &ben] {
            assign(&leader, &post, &officer.name).await.unwrap();
            present(officer, true).await;
        }
        let request = pb::GrantLiaisonBindingRequest {
            liaison_post: post.clone(),
            enterprise: city.enterprise.to_string(),
            request_id: request_id(),
        };
        leader.call(request).await.unwrap();
        Desk { city, leader, ann, ben, inspector, boss, talker, post }
    }
}

pub async fn present(officer: &User, present: bool) {
    let request = pb::SetPresenceRequest { present };
    officer.call(request).await.unwrap();
}

/// 09:00 to 12:00 and 14:00 to 17:30 on working days.
pub fn office_hours() -> Vec<pb::TimeWindow> {
    [(9 * 60, 12 * 60), (14 * 60, 17 * 60 + 30)]
        .map(|(from_minute, until_minute)| pb::TimeWindow {
            weekdays: vec![],
            from_minute,
            until_minute,
        })
        .to_vec()
}

fn post_form(unit: &str) -> pb::LiaisonPost {
    pb::LiaisonPost {
        unit: unit.to_owned(),
        display_name: "宿城区警务专员岗".to_owned(),
        mode: pb::liaison_post::Mode::CityWide.into(),
        duty_hours: office_hours(),
        capacity_max: 2,
        ..pb::LiaisonPost::default()
    }
}

async fn create_post(leader: &User, unit: &str) -> pb::LiaisonPost {
    let request = pb::CreateLiaisonPostRequest {
        liaison_post: Some(post_form(unit)),
        request_id: request_id(),
    };
    leader.call(request).await.unwrap()
}

async fn assign(
    leader: &User,
    post: &str,
    officer: &str,
) -> Result<pb::LiaisonPost, tonic::Status> {
    let request = pb::AssignLiaisonOfficerRequest {
        name: post.to_owned(),
        officer: officer.to_owned(),
        request_id: request_id(),
    };
    leader.call(request).await
}

async fn scan(desk: &Desk, officer: &User) -> pb::BindingCode {
    let request = pb::IssueBindingCodeRequest { liaison_post: desk.post.clone() };
    officer.call(request).await.unwrap()
}

async fn confirm(
    user: &User,
    text: &str,
    enterprise: &str,
) -> Result<pb::LiaisonBinding, tonic::Status> {
    let request = pb::ConfirmLiaisonBindingRequest {
        text: text.to_owned(),
        enterprise: enterprise.to_owned(),
        request_id: request_id(),
    };
    user.call(request).await
}

async fn end_bindings(desk: &Desk) {
    let list = pb::ListLiaisonBindingsRequest::default();
    let listed = desk.boss.call(list).await.unwrap();
    for binding in listed.liaison_bindings.into_iter().filter(|it| it.end_time.is_none()) {
        let request = pb::EndLiaisonBindingRequest {
            name: binding.name,
            reason: "不再需要".to_owned(),
            request_id: request_id(),
        };
        desk.boss.call(request).await.unwrap();
    }
}

// MS-17: measure 17 (警务专员): bound by the officer's code, and served from then on.
#[sqlx::test]
async fn an_enterprise_scans_the_officers_code_and_confirms(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    end_bindings(&desk).await;
    let code = scan(&desk, &desk.ann).await;
    let read = pb::ReadBindingCodeRequest { text: code.text.clone() };
    let post = desk.talker.call(read).await.unwrap();
    assert_eq!(post.roster.len(), 2, "who serves is told before it is confirmed");
    assert!(post.on_duty);
    let enterprise = desk.city.enterprise.to_string();
    let bound = confirm(&desk.talker, &code.text, &enterprise).await.unwrap();
    assert_eq!((bound.source.as_str(), bound.liaison_post), ("SCAN", desk.post.clone()));
}

#[sqlx::test]
async fn a_binding_code_serves_once_for_five_minutes_and_only_as_it_was_signed(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    end_bindings(&desk).await;
    let enterprise = desk.city.enterprise.to_string();
    let code = scan(&desk, &desk.ann).await;
    let refused = |result: Result<pb::LiaisonBinding, tonic::Status>| reason(&result.unwrap_err());
    // Altered: another post, or another end.
    let mut altered = code.text.clone().into_bytes();
    altered[60] = if altered[60] == b'0' { b'1' } else { b'0' };
    let altered = String::from_utf8(altered).unwrap();
    let forged = confirm(&desk.talker, &altered, &enterprise).await;
    assert_eq!(refused(forged), "BINDING_CODE_INVALID");
    let malformed = confirm(&desk.talker, "LB1:zz", &enterprise).await.unwrap_err();
    assert_eq!(fields(&malformed), ["text CODE_MALFORMED"]);
    let stranger = confirm(&desk.city.stranger, &code.text, &enterprise).await.unwrap_err();
    assert_eq!(stranger.code(), Code::PermissionDenied);
    confirm(&desk.talker, &code.text, &enterprise).await.unwrap();
    end_bindings(&desk).await;
    let again = confirm(&desk.talker, &code.text, &enterprise).await;
    assert_eq!(refused(again), "BINDING_CODE_INVALID", "a code serves once");
    let late = scan(&desk, &desk.ann).await;
    app.advance(SignedDuration::from_mins(5));
    let late = confirm(&desk.talker, &late.text, &enterprise).await;
    assert_eq!(refused(late), "BINDING_CODE_INVALID");
    // The code of an officer who left the post is worth nothing.
    let left = scan(&desk, &desk.ann).await;
    hand_over(&desk, &desk.ann, None).await;
    let left = confirm(&desk.talker, &left.text, &enterprise).await;
    assert_eq!(refused(left), "BINDING_CODE_INVALID");
}

pub async fn hand_over(desk: &Desk, from: &User, to: Option<&User>) {
    let request = pb::HandOverLiaisonPostRequest {
        name: desk.post.clone(),
        officer: from.name.clone(),
        successor: to.map(|to| to.name.clone()).unwrap_or_default(),
        note: "岗位调整".to_owned(),
        request_id: request_id(),
    };
    desk.leader.call(request).await.unwrap();
}

#[sqlx::test]
async fn a_post_serves_its_district_without_a_grant(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    end_bindings(&desk).await;
    let create = |title: &str| pb::CreateConversationRequest {
        conversation: Some(pb::Conversation {
            enterprise: desk.city.enterprise.to_string(),
            liaison_post: desk.post.clone(),
            title: title.to_owned(),
            ..pb::Conversation::default()
        }),
        request_id: request_id(),
    };
    let unbound = desk.talker.call(create("咨询")).await;
    assert_eq!(unbound.unwrap_err().code(), Code::PermissionDenied, "an unknown post is absent");
    let get = pb::GetLiaisonPostRequest { name: desk.post.clone() };
    let post = desk.leader.call(get).await.unwrap();
    let update = pb::UpdateLiaisonPostRequest {
        liaison_post: Some(pb::LiaisonPost { districts: vec!["321302".to_owned()], ..post }),
        request_id: request_id(),
    };
    desk.leader.call(update).await.unwrap();
    let list = pb::ListLiaisonPostsRequest {
        enterprise: desk.city.enterprise.to_string(),
        ..Default::default()
    };
    let serving = desk.talker.call(list).await.unwrap();
    assert_eq!(serving.liaison_posts.len(), 1);
    desk.talker.call(create("咨询")).await.unwrap();
    let list = pb::ListLiaisonBindingsRequest::default();
    let bindings = desk.boss.call(list).await.unwrap();
    let standing = bindings.liaison_bindings.iter().filter(|it| it.end_time.is_none());
    assert_eq!(standing.map(|it| it.source.as_str()).collect::<Vec<_>>(), ["DISTRICT"]);
}

#[sqlx::test]
async fn a_wrong_post_is_told_every_fault(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let request = pb::CreateLiaisonPostRequest {
        liaison_post: Some(pb::LiaisonPost {
            unit: "units/1".to_owned(),
            capacity_max: 1_001,
            districts: vec!["3213".to_owned()],
            industries: vec!["Z".to_owned()],
            duty_hours: vec![pb::TimeWindow {
                weekdays: vec![8],
                from_minute: 0,
                until_minute: 60,
            }],
            ..pb::LiaisonPost::default()
        }),
        request_id: request_id(),
    };
    let refused = desk.leader.call(request).await.unwrap_err();
    assert_eq!(
        fields(&refused),
        [
            "liaison_post.capacity_max OUT_OF_RANGE",
            "liaison_post.display_name REQUIRED",
            "liaison_post.districts UNKNOWN_VALUE",
            "liaison_post.duty_hours TIME_WINDOW_INVALID",
            "liaison_post.industries UNKNOWN_VALUE",
            "liaison_post.mode REQUIRED",
            "liaison_post.unit NAME_MALFORMED",
        ]
    );
}

#[sqlx::test]
async fn only_a_liaison_officer_of_the_leaders_units_comes_onto_the_roster(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    let reviewer = assign(&desk.leader, &desk.post, &desk.city.first.name).await.unwrap_err();
    assert_eq!(reviewer.code(), Code::PermissionDenied);
    let twice = assign(&desk.leader, &desk.post, &desk.ann.name).await.unwrap_err();
    assert_eq!(reason(&twice), "ALREADY_EXISTS");
    let by_officer = assign(&desk.ann, &desk.post, &desk.ben.name).await.unwrap_err();
    assert_eq!(by_officer.code(), Code::PermissionDenied);
    // A leader of another unit does not reach the post.
    let other = app.unit("321324170000", None, &[]).await;
    let stranger = app.officer("200009", &other, &["UNIT_LEADER"]).await;
    let foreign = assign(&stranger, &desk.post, &desk.ann.name).await.unwrap_err();
    assert_eq!(foreign.code(), Code::PermissionDenied);
    let changes = pb::ListLiaisonPostChangesRequest { name: desk.post.clone() };
    let changes = desk.leader.call(changes).await.unwrap();
    let steps: Vec<_> = changes.changes.into_iter().map(|it| it.action).collect();
    assert_eq!(steps, ["CREATE", "ASSIGN", "ASSIGN"]);
}

#[sqlx::test]
async fn two_confirmations_of_one_code_bind_once(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    end_bindings(&desk).await;
    let code = scan(&desk, &desk.ann).await;
    let enterprise = desk.city.enterprise.to_string();
    let both = tokio::join!(
        confirm(&desk.talker, &code.text, &enterprise),
        confirm(&desk.boss, &code.text, &enterprise)
    );
    assert_eq!(usize::from(both.0.is_ok()) + usize::from(both.1.is_ok()), 1);
    assert_eq!(app.count("select count(*) from liaison_binding where end_time is null").await, 1);
}

/// What somebody brings along who scanned the contact way of the post in WeCom.
async fn scanned(app: &App, desk: &Desk) -> String {
    let request = pb::CreateContactWayRequest { liaison_post: desk.post.clone() };
    let way = desk.leader.call(request).await.unwrap();
    let url = format!("http://{}/sandbox/wecom/scan", app.sandbox);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let scanned = client.post(url).json(&serde_json::json!({ "qr_code": way.qr_code }));
    let scanned: serde_json::Value = scanned.send().await.unwrap().json().await.unwrap();
    format!("WC1:{}", scanned["state"].as_str().unwrap())
}

// The same by way of WeCom: the state comes back with whoever adds the officers.
#[sqlx::test]
async fn an_enterprise_binds_by_the_contact_way_of_wecom(pool: PgPool) {
    let app = App::start(pool).await;
    let desk = app.desk().await;
    end_bindings(&desk).await;
    let text = scanned(&app, &desk).await;
    let enterprise = desk.city.enterprise.to_string();
    let forged = confirm(&desk.talker, "WC1:0123456789", &enterprise).await.unwrap_err();
    assert_eq!(reason(&forged), "BINDING_CODE_INVALID");
    let bound = confirm(&desk.talker, &text, &enterprise).await.unwrap();
    assert_eq!(bound.source, "WECOM");
    let stored = app.count("select count(*) from contact_way").await;
    assert_eq!(stored, 1);
}

// I29: a server that has one connection left confirms a binding with it, and a repetition gets the
// first answer, also when the code is out of time by then.
#[sqlx::test]
async fn a_binding_is_confirmed_with_a_single_connection(pool: PgPool) {
    let app = App::start(pool.clone()).await;
    let desk = app.desk().await;
    end_bindings(&desk).await;
    let text = scanned(&app, &desk).await;
    let one = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(std::time::Duration::from_millis(1_500))
        .connect_with((*pool.connect_options()).clone())
        .await
        .unwrap();
    let narrow = app.another_with_pool(one).await;
    let enterprise = desk.city.enterprise.to_string();
    confirm(&desk.talker.at(narrow), &text, &enterprise).await.unwrap();
    end_bindings(&desk).await;
    let request = pb::ConfirmLiaisonBindingRequest {
        text: scan(&desk, &desk.ann).await.text,
        enterprise,
        request_id: request_id(),
    };
    let bind = async || desk.talker.call(request.clone()).await.unwrap().name;
    let first = bind().await;
    app.advance(SignedDuration::from_mins(6));
    assert_eq!(bind().await, first);
}
