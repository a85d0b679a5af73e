//! The schema against the code: every state of a drawing is in its check constraint, and rows of
//! the history are never rewritten.

use jingqi::domain::{
    application::{ApplicationState, Purpose},
    attachment::ContentType,
    booking::BookingState,
    conduct_report::{DutyKind, Finding, ReportState},
    conversation::ConversationState,
    liaison::{BindingSource, PostMode},
    lifecycle::State,
    meeting::{MeetingState, PointState},
    message::MessageKind,
    pass::PassState,
    problem::ProblemState,
    proposal::{Act, ProposalState},
};
use sqlx::PgPool;

async fn constraint(pool: &PgPool, name: &str) -> String {
    sqlx::query_scalar("select pg_get_constraintdef(oid) from pg_constraint where conname = $1")
        .bind(name.to_owned())
        .fetch_one(pool)
        .await
        .unwrap()
}

async fn agrees(pool: &PgPool, name: &str, states: &[&str]) {
    let definition = constraint(pool, name).await;
    for state in states {
        assert!(definition.contains(&format!("'{state}'")), "{name} lacks {state}");
    }
    assert_eq!(definition.matches("::text").count(), states.len(), "{definition}");
}

#[sqlx::test]
async fn every_state_stands_in_its_check_constraint(pool: PgPool) {
    let states: Vec<_> = <ApplicationState as State>::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "pass_application_state_known", &states).await;
    let states: Vec<_> = <PassState as State>::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "truck_pass_state_known", &states).await;
    let states: Vec<_> = <ConversationState as State>::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "conversation_state_known", &states).await;
    let kinds: Vec<_> = MessageKind::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "message_kind_known", &kinds).await;
    let states: Vec<_> = <ProblemState as State>::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "problem_state_known", &states).await;
    let states: Vec<_> = <BookingState as State>::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "centre_booking_state_known", &states).await;
    let states: Vec<_> = MeetingState::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "joint_meeting_state_known", &states).await;
    let states: Vec<_> = PointState::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "meeting_point_state_known", &states).await;
    let states: Vec<_> = <ReportState as State>::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "report_state_known", &states).await;
    let findings: Vec<_> = Finding::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "report_finding_known", &findings).await;
    let duties: Vec<_> = DutyKind::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "duty_kind_known", &duties).await;
    let pictures = ContentType::ALL.iter().filter(|it| it.can_be_bared());
    let pictures: Vec<_> = pictures.map(|it| it.wire()).collect();
    agrees(&pool, "evidence_type_known", &pictures).await;
    let found: Vec<_> = Finding::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "conclusion_finding_known", &found).await;
    let modes: Vec<_> = PostMode::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "liaison_post_mode_known", &modes).await;
    let sources: Vec<_> = BindingSource::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "liaison_binding_source_known", &sources).await;
    let acts: Vec<_> = Act::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "proposal_act_known", &acts).await;
    let states: Vec<_> = ProposalState::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "proposal_state_known", &states).await;
    let purposes: Vec<_> = Purpose::ALL.iter().map(|it| it.wire()).collect();
    agrees(&pool, "pass_application_purpose_known", &purposes).await;
}

#[sqlx::test]
async fn every_constraint_was_named_by_hand(pool: PgPool) {
    let generated: Vec<String> = sqlx::query_scalar(
        "select conname from pg_constraint join pg_namespace n on n.oid = connamespace
         where n.nspname = 'public' and contype in ('c', 'x', 'u')
            and (conname ~ '_(check|excl|key)[0-9]*$')",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(generated, Vec::<String>::new());
}

// OP-13: the history is append-only, whoever asks.
#[sqlx::test]
async fn the_history_is_never_rewritten(pool: PgPool) {
    let insert = "insert into change (id, collection, subject_id, from_state, to_state, action,
            actor, public_note, internal_note, method, call_id, create_time)
        values (gen_random_uuid(), 'x', gen_random_uuid(), '', 'A', 'B', 'c', '', '', 'm',
            gen_random_uuid(), now())";
    sqlx::query(insert).execute(&pool).await.unwrap();
    for statement in ["update change set actor = 'somebody'", "delete from change"] {
        let refused = sqlx::query(statement).execute(&pool).await.unwrap_err();
        assert!(refused.to_string().contains("never rewritten"), "{refused}");
    }
}

// I6, I7: what the domain refuses, the database refuses too.
#[sqlx::test]
async fn two_active_long_term_passes_of_one_vehicle_and_zone_cannot_be_stored(pool: PgPool) {
    let definition = constraint(&pool, "pass_one_active_per_plate").await;
    for part in ["plate_number WITH =", "zone_id WITH =", "validity WITH &&", "WHERE (holds)"] {
        assert!(definition.contains(part), "{definition}");
    }
    let definition = constraint(&pool, "truck_pass_one_per_application").await;
    assert_eq!(definition, "UNIQUE (pass_application_id)");
}
