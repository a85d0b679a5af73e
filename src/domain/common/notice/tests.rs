//! The words, the ways and the hours of notices.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp, civil::date};
use proptest::prelude::*;

use super::{
    Channel, Facts, Language, NoticeEvent, Preferences, Push, Template, crossed, fields::Templates,
    ladder, next,
};

fn at(text: &str) -> Timestamp {
    format!("{text}:00+08:00").parse().unwrap()
}

fn facts(event: NoticeEvent) -> Facts {
    let plate = event.template() == Template::Pass || event.wire().starts_with("VEHICLE");
    Facts {
        number: "SQTX202611240000015".to_owned(),
        plate: if plate { "苏N12345".to_owned() } else { String::new() },
        day: (event == NoticeEvent::PassExpiring).then(|| date(2026, 12, 1)),
        count: None,
    }
}

// NO-01: a text per event and language, by its template; `!` is urgent, `w` leaves by webhook.
#[test]
fn the_texts_of_every_event() {
    let mut table = String::new();
    for event in NoticeEvent::ALL {
        let mark = |is: bool, mark| if is { mark } else { ' ' };
        let marks = [mark(event.urgent(), '!'), mark(event.leaves(), 'w')];
        let marks: String = marks.into_iter().collect();
        writeln!(table, "{} {marks} [{}]", event.wire(), event.template().wire()).unwrap();
        for language in Language::ALL {
            let push = Push::of(*event, facts(*event), at("2026-11-24T10:30"), *language);
            writeln!(table, "    {} | {}", push.text.title, push.text.body).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

fn every() -> Templates {
    let ids =
        Template::AT_WECHAT.map(|template| format!("{}=id-{}", template.wire(), template.wire()));
    Templates::parse(&ids.join(";")).unwrap()
}

// NO-01, NO-05: what WeChat is sent, per event and language.
#[test]
fn the_fields_of_every_template_at_wechat() {
    let (filed, mut table) = (every(), String::new());
    for event in NoticeEvent::ALL {
        let Some(filed) = filed.filed(event.template()) else { continue };
        for language in Language::ALL {
            let push = Push::of(*event, facts(*event), at("2026-11-24T10:30"), *language);
            assert!(!filed.data(&push).values().any(|value| value.contains('…')), "{event:?}");
            let fields: Vec<_> =
                filed.data(&push).into_iter().map(|(n, v)| format!("{n}={v}")).collect();
            writeln!(table, "{}: {}", event.wire(), fields.join(" ")).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn templates_are_read_with_the_names_that_are_filed() {
    let read =
        Templates::parse("complaint=T1:character_string9,phrase8,time7; message=T2").unwrap();
    assert_eq!(read.by_id("T1"), Some(Template::Complaint));
    assert_eq!(read.by_id("T3"), None);
    let event = NoticeEvent::ComplaintClosed;
    let push = Push::of(event, facts(event), at("2026-11-24T10:30"), Language::Chinese);
    let data = read.filed(Template::Complaint).unwrap().data(&push);
    assert_eq!(data["phrase8"], "已办结");
    for wrong in [
        "complaint",
        "task=T",
        "other=T",
        "message=",
        "message=T:thing1",
        "pass=T:thing1,time2,thing3,time4",
    ] {
        assert!(Templates::parse(wrong).is_err(), "{wrong}");
    }
}

// NO-06: quiet hours hold back, urgent events pass, officers have none unless they want them.
#[test]
fn quiet_hours_hold_back_what_can_wait() {
    let person = Preferences::default_of("persons/x");
    let approved = NoticeEvent::PassApproved;
    let table = [
        ("2026-11-24T21:59", None),
        ("2026-11-24T22:00", Some("2026-11-25T07:00")),
        ("2026-11-24T23:59", Some("2026-11-25T07:00")),
        ("2026-11-25T00:00", Some("2026-11-25T07:00")),
        ("2026-11-25T06:59", Some("2026-11-25T07:00")),
        ("2026-11-25T07:00", None),
    ];
    for (now, until) in table {
        assert_eq!(person.held_until(approved, at(now)), until.map(at), "{now}");
        assert_eq!(person.held_until(NoticeEvent::PassSuspended, at(now)), None, "{now}");
        let officer = Preferences::default_of("officers/x");
        assert_eq!(officer.held_until(NoticeEvent::TaskAssigned, at(now)), None, "{now}");
    }
    let noon = Preferences { quiet: (12 * 60, 13 * 60), ..person };
    assert_eq!(noon.held_until(approved, at("2026-11-24T12:30")), Some(at("2026-11-24T13:00")));
    assert_eq!(noon.held_until(approved, at("2026-11-24T23:30")), None);
}

// NO-07.
#[test]
fn a_digest_comes_at_its_minute_and_not_in_quiet_hours() {
    let digest =
        |minute| Preferences { digest: Some(minute), ..Preferences::default_of("persons/x") };
    let event = NoticeEvent::ComplaintClosed;
    let nine = digest(9 * 60);
    assert_eq!(nine.held_until(event, at("2026-11-24T08:59")), Some(at("2026-11-24T09:00")));
    assert_eq!(nine.held_until(event, at("2026-11-24T09:00")), Some(at("2026-11-25T09:00")));
    assert_eq!(
        digest(5 * 60).held_until(event, at("2026-11-24T10:00")),
        Some(at("2026-11-25T07:00"))
    );
    assert_eq!(nine.held_until(NoticeEvent::PassPenalised, at("2026-11-24T10:00")), None);
}

// NO-09: WeChat, then SMS; a chat message is worth no SMS; officers by WeCom.
#[test]
fn the_ladder_of_ways() {
    let all = Channel::ALL;
    assert_eq!(ladder(Template::Pass, "persons/x", all), [Channel::Wechat, Channel::Sms]);
    assert_eq!(ladder(Template::Message, "persons/x", all), [Channel::Wechat]);
    assert_eq!(ladder(Template::Task, "officers/x", all), [Channel::Wecom]);
    assert_eq!(ladder(Template::Pass, "persons/x", &[Channel::Sms]), [Channel::Sms]);
    assert_eq!(ladder(Template::Task, "officers/x", &[]), []);
}

#[test]
fn a_pass_is_spoken_of_when_it_crosses_a_threshold_and_only_at_the_nearest() {
    let end = at("2027-01-01T00:00");
    let day = |days: i64| end - SignedDuration::from_hours(24 * days);
    let issued = day(180);
    let minute = SignedDuration::from_mins(1);
    for days in [30, 7, 1] {
        let crossing = (day(days) - minute, day(days));
        assert_eq!(crossed(end, issued, crossing), Some(days));
        assert_eq!(crossed(end, issued, (day(days), day(days) + minute)), None);
        // A short pass does not end soon before it began.
        assert_eq!(crossed(end, day(days), crossing), None);
    }
    assert_eq!(crossed(end, issued, (day(40), day(5))), Some(7));
    assert_eq!(crossed(end, issued, (day(40), end)), None, "it is over");
}

proptest! {
    #[test]
    fn what_is_held_back_is_released_later_within_two_days(
        now in 1_700_000_000_i64..1_900_000_000,
        quiet in (0_u16..1440, 0_u16..1440),
        digest in proptest::option::of(0_u16..1440),
    ) {
        let now = Timestamp::from_second(now).unwrap();
        let wish = Preferences { quiet, digest, ..Preferences::default_of("persons/x") };
        if let Some(until) = wish.held_until(NoticeEvent::PassApproved, now) {
            prop_assert!(until > now);
            prop_assert!(until <= now + SignedDuration::from_hours(48));
            let settled = Preferences { digest: None, ..wish };
            prop_assert_eq!(settled.held_until(NoticeEvent::PassApproved, until), None);
        } else {
            prop_assert!(digest.is_none());
        }
    }

    #[test]
    fn the_next_minute_is_within_a_day(now in 1_700_000_000_i64..1_900_000_000, minute in 0_u16..1440) {
        let now = Timestamp::from_second(now).unwrap();
        let at = next(now, minute);
        prop_assert!(at > now && at <= now + SignedDuration::from_hours(24));
    }
}
