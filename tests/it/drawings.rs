//! Every closed list stands in four places: the drawing, the enum of the API, the check constraint of the
//! schema, and the words in statements and indexes. One place that lags behind is told here.

use std::{collections::BTreeSet, fs, path::Path};

use jingqi::surface::{
    crypto::Suite,
    domain::{
        codes::DocumentKind,
        common::{
            evaluation::{EvaluationState, Satisfaction},
            extension::ExtensionState,
            notice::{Channel, Language},
        },
        complaint::{
            Category, Channel as Way, ComplaintState, Field,
            meeting::{MeetingState, PointState},
        },
        conduct::{DutyKind, DutyStanding, Finding, ReportState},
        duty::obligation::{ObligationKind, Which},
        enterprise::{EnterpriseState, attachment::ContentType, contest::ContestState},
        identity::{
            proposal::{Act, ProposalState},
            signing_key,
        },
        liaison::{
            BindingSource, PostMode, booking::BookingState, conversation::ConversationState,
            message::MessageKind, problem::ProblemState,
        },
        pass::{
            PassState,
            application::{ApplicationState, Purpose, SourceChannel},
            check::{CheckAction, CheckOutcome, Direction, Verdict},
            policy::{EnterpriseClass, PassKind, Relation},
        },
    },
    service::pb,
    store::duty::obligations::Cause,
};
use prost_reflect::DescriptorPool;
use sqlx::PgPool;

use crate::floors::files;

/// A list, with where it stands. Enums of the API by their name within `jingqi.v1`.
struct Drawn {
    words: Vec<&'static str>,
    constraints: &'static [&'static str],
    enums: &'static [&'static str],
    /// What the API tells beyond it, since it follows from the clock.
    also: &'static [&'static str],
}

fn drawn(
    words: Vec<&'static str>,
    constraints: &'static [&'static str],
    enums: &'static [&'static str],
) -> Drawn {
    Drawn { words, constraints, enums, also: &[] }
}

macro_rules! drawn {
    ($($list:ty: $constraints:expr, $enums:expr;)+) => {
        vec![$(drawn(<$list>::ALL.iter().map(|it| it.wire()).collect(), &$constraints, &$enums)),+]
    };
}

fn lists() -> Vec<Drawn> {
    let mut lists = drawn! {
        ApplicationState: ["pass_application_state_known"], ["PassApplication.State"];
        Purpose: ["pass_application_purpose_known"], ["PassApplication.Purpose"];
        SourceChannel: [], ["SourceChannel"];
        PassKind: [], ["PassKind"];
        Verdict: ["pass_check_verdict_known"], ["PassCheck.Verdict"];
        Direction: [], ["PassCheck.Direction"];
        CheckAction: ["pass_check_action_known"], ["PassCheck.Action"];
        ConversationState: ["conversation_state_known"], ["Conversation.State"];
        MessageKind: ["message_kind_known"], ["MessageKind"];
        PostMode: ["liaison_post_mode_known"], ["LiaisonPost.Mode"];
        BindingSource: ["liaison_binding_source_known"], [];
        ProblemState: ["problem_state_known"], ["Problem.State"];
        BookingState: ["centre_booking_state_known"], ["CentreBooking.State"];
        MeetingState: ["joint_meeting_state_known"], ["JointMeeting.State"];
        PointState: ["meeting_point_state_known"], ["MeetingPoint.State"];
        ComplaintState: ["complaint_state_known"], ["Complaint.State"];
        Category:
            ["complaint_category_known", "complaint_policy_category_known", "answer_template_category_known"],
            ["Complaint.Category"];
        Way: ["complaint_channel_known"], ["Complaint.Channel"];
        ExtensionState: ["complaint_extension_state_known", "extension_state_known"], [];
        Field: ["complaint_redaction_field_known"], ["RedactComplaintRequest.Field"];
        EvaluationState: ["evaluation_state_known"], ["ServiceEvaluation.State"];
        Satisfaction: ["evaluation_level_known"], ["SatisfactionLevel"];
        ReportState: ["report_state_known"], ["ConductReport.State"];
        Finding: ["report_finding_known", "conclusion_finding_known"], ["ConductReport.Finding"];
        DutyKind: ["duty_kind_known"], ["ConductReportDuty.Kind"];
        DutyStanding: [], ["ConductReportDuty.Standing"];
        EnterpriseState: ["enterprise_state_known"], ["Enterprise.State"];
        DocumentKind: ["enterprise_document_known"], ["IdentityDocumentKind"];
        Relation: ["vehicle_relation_known"], ["Vehicle.Relation"];
        ContestState: ["vehicle_contest_state_known"], ["VehicleContest.State"];
        ProposalState: ["proposal_state_known", "identity_request_state_known"], ["Proposal.State"];
        Act: ["proposal_act_known"], [];
        ObligationKind: ["obligation_kind_known"], [];
        Which: ["obligation_move_limit_known"], [];
        Cause: ["obligation_move_cause_known"], [];
        Language: ["notice_preference_language_known"], [];
        Channel: ["notice_delivery_channel_known"], ["NoticePreferences.Channel"];
        signing_key::Purpose: ["signing_key_purpose_known"], ["SigningKey.Purpose"];
        Suite: ["signing_key_suite_known"], [];
    };
    // Whether a pass has begun, or is over, is said by the clock.
    let states = PassState::ALL.iter().map(|it| it.wire()).collect();
    let pass = drawn(states, &["truck_pass_state_known"], &["TruckPass.State"]);
    lists.push(Drawn { also: &["PENDING_START", "EXPIRED"], ..pass });
    let bared = ContentType::ALL.iter().filter(|it| it.can_be_bared());
    lists.push(drawn(bared.map(|it| it.wire()).collect(), &["evidence_type_known"], &[]));
    // Whoever has no class is general: nobody grants that.
    let granted = EnterpriseClass::ALL.iter().filter(|it| **it != EnterpriseClass::General);
    lists.push(drawn(
        granted.map(|it| it.wire()).collect(),
        &["class_grant_class_known"],
        &["EnterpriseClass"],
    ));
    // An enum of the API may not name two values alike within one scope: `VALID` is the verdict's.
    let outcomes = CheckOutcome::ALL.iter().map(|it| it.wire());
    lists.push(drawn(
        outcomes.map(|word| if word == "VALID" { "PASS_VALID" } else { word }).collect(),
        &[],
        &["PassCheck.Outcome"],
    ));
    lists
}

/// Constraints over words that no drawing of ours holds: rows beside a noun. The list may only shrink.
const UNDRAWN: [&str; 4] = [
    "complaint_policy_needed_known",
    "content_access_action_known",
    "member_role_known",
    "notice_delivery_state_known",
];

/// Enums of the API that say how something is asked or shown, and stand in no row.
const SPOKEN: [&str; 4] = [
    "GetServiceFiguresRequest.Grouping",
    "NoticePreferences.Language",
    "PassCode.Mode",
    "RecordSubscriptionConsentRequest.Answer",
];

fn set<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    words.into_iter().collect()
}

/// What stands between single quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('\'').skip(1).step_by(2)
}

#[sqlx::test]
async fn every_closed_list_of_the_schema_is_a_drawing(pool: PgPool) {
    let lists = lists();
    let known: Vec<(String, String)> = sqlx::query_as(
        "select conname::text, pg_get_constraintdef(c.oid) from pg_constraint c
         join pg_namespace n on n.oid = connamespace
         where n.nspname in ('public', 'conduct') and contype = 'c' and conname ~ '_known$'
            and pg_get_constraintdef(c.oid) like '%''%'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    for (name, definition) in &known {
        if UNDRAWN.contains(&name.as_str()) {
            continue;
        }
        let list = lists.iter().find(|list| list.constraints.contains(&name.as_str()));
        let list =
            list.unwrap_or_else(|| panic!("{name} holds words that nothing draws: {definition}"));
        assert_eq!(set(quoted(definition)), set(list.words.iter().copied()), "{name}");
    }
    for name in lists.iter().flat_map(|list| list.constraints).chain(&UNDRAWN) {
        assert!(known.iter().any(|(known, _)| known == name), "the schema has no {name}");
    }
}

#[test]
fn every_enum_of_the_api_is_a_drawing() {
    let (lists, pool) = (lists(), DescriptorPool::decode(pb::DESCRIPTORS).unwrap());
    let mut told = BTreeSet::new();
    for found in pool.all_enums().filter(|it| it.package_name() == "jingqi.v1") {
        let name = found.full_name().trim_start_matches("jingqi.v1.").to_owned();
        let values: Vec<_> = found.values().map(|value| value.name().to_owned()).collect();
        told.insert(name.clone());
        if SPOKEN.contains(&name.as_str()) {
            continue;
        }
        let list = lists.iter().find(|list| list.enums.contains(&name.as_str()));
        let list = list.unwrap_or_else(|| panic!("nothing draws the enum {name}: {values:?}"));
        let values =
            set(values.iter().map(String::as_str).filter(|it| !it.ends_with("_UNSPECIFIED")));
        assert_eq!(values, set(list.words.iter().chain(list.also).copied()), "{name}");
    }
    for name in lists.iter().flat_map(|list| list.enums).chain(&SPOKEN) {
        assert!(told.contains(*name), "the API has no enum {name}");
    }
}

/// The words with which a statement compares a column that ends in `state`.
fn states_named(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut pieces = text.split('\'');
    let (mut before, mut of_state) = (pieces.next().unwrap_or_default(), false);
    while let (Some(word), Some(after)) = (pieces.next(), pieces.next()) {
        let bare = before.trim_end_matches(['(', ' ', '\n']);
        // The next word of a list is of the same column.
        let goes_on = of_state && before.trim_start_matches("::text").trim() == ",";
        let mut column = bare;
        for sign in ["ARRAY[", "ANY", "ALL", "not in", "in", "<>", "="] {
            column = column.strip_suffix(sign).unwrap_or(column).trim_end_matches(['(', ' ', '\n']);
        }
        of_state = goes_on || column != bare && column.ends_with("state");
        if of_state {
            words.push(word);
        }
        before = after;
    }
    words
}

/// The tables with a drawn state that a text names, each with its words.
fn tables<'a>(lists: &'a [Drawn], text: &str) -> Vec<&'a Drawn> {
    let names: BTreeSet<&str> =
        text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).collect();
    let named = |list: &&Drawn| {
        let tables = list.constraints.iter().filter_map(|name| name.strip_suffix("_state_known"));
        tables.into_iter().any(|table| names.contains(table))
    };
    lists.iter().filter(named).collect()
}

/// Rows beside a noun, whose words nothing draws: see `UNDRAWN`.
const BESIDE: [&str; 3] = ["complaint_extension", "extension", "notice_delivery"];

fn judge(lists: &[Drawn], text: &str, found: &mut usize) {
    let tables = tables(lists, text);
    if BESIDE.iter().any(|table| text.contains(table)) {
        return;
    }
    for word in states_named(text) {
        *found += 1;
        let known = tables.iter().any(|list| list.words.contains(&word));
        assert!(known, "{word} is no state of a table that this names: {text}");
    }
}

/// The statements are those that the compiler checked; the indexes and constraints those of the schema.
#[sqlx::test]
async fn every_state_that_a_statement_or_an_index_names_is_drawn(pool: PgPool) {
    let (lists, mut found) = (lists(), 0);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/.sqlx");
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let checked: serde_json::Value = serde_json::from_str(&text).unwrap();
        judge(&lists, checked["query"].as_str().unwrap(), &mut found);
    }
    assert!(found > 70, "only {found} words were found in statements");
    found = 0;
    let held: Vec<String> = sqlx::query_scalar(
        "select indexdef from pg_indexes where schemaname in ('public', 'conduct')
         union all
         select conrelid::regclass || ' ' || pg_get_constraintdef(c.oid) from pg_constraint c
         join pg_namespace n on n.oid = connamespace
         where n.nspname in ('public', 'conduct') and contype = 'c'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    for text in &held {
        judge(&lists, text, &mut found);
    }
    assert!(found > 70, "only {found} words were found in indexes and constraints");
}

#[test]
fn words_beside_a_state_are_found_in_every_form() {
    for (text, words) in [
        ("where state = 'A' and kind = 'K'", vec!["A"]),
        ("where x.state in ('A', 'B') or kind in ('K', 'L')", vec!["A", "B"]),
        ("where state not in ('A','B') and state <> 'C'", vec!["A", "B", "C"]),
        (
            "CHECK ((state = ANY (ARRAY['A'::text, 'B'::text])) AND (kind = 'K'::text))",
            vec!["A", "B"],
        ),
        ("WHERE ((state <> ALL (ARRAY['A'::text])) OR from_state = 'B')", vec!["A", "B"]),
    ] {
        assert_eq!(states_named(text), words, "{text}");
    }
}

/// Every method of the API is called in some test, with a body of its own: by its name, or by a request
/// that no other method takes. What the harness names does not count.
#[test]
fn every_method_is_called_by_name_in_a_test() {
    let tests = files("tests/it").into_iter().filter(|(name, _)| !name.starts_with("harness"));
    let tests: String = tests.map(|(_, text)| text).collect();
    let pool = DescriptorPool::decode(pb::DESCRIPTORS).unwrap();
    let methods: Vec<_> = pool.services().flat_map(|it| it.methods().collect::<Vec<_>>()).collect();
    assert!(methods.len() > 250, "{} methods", methods.len());
    let mut silent = Vec::new();
    for method in &methods {
        let mut call = String::from(".");
        for (at, letter) in method.name().char_indices() {
            if letter.is_uppercase() && at > 0 {
                call.push('_');
            }
            call.push(letter.to_ascii_lowercase());
        }
        call.push('(');
        let request = method.input();
        let alone = methods.iter().filter(|other| other.input() == request).count() == 1;
        let named = if alone {
            format!("pb::{}", request.name())
        } else {
            format!("to::{}(", method.name())
        };
        if !tests.contains(&call) && !tests.contains(&named) {
            silent.push(method.name().to_owned());
        }
    }
    assert_eq!(silent, Vec::<String>::new(), "called by no test");
}
