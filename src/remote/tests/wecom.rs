//! WeCom's client against a server that answers as each test says, well or badly.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Answer, Limits, QUICK, SECRET, Stub, everything, ok};
use crate::{
    error::Reason,
    remote::{Secret, wecom::Wecom},
};

const WAY: &str = r#"{"errcode":0,"config_id":"c1","qr_code":"https://wework.example/c1"}"#;

impl Stub {
    fn wecom(&self, limits: Limits) -> Wecom {
        Wecom::new(&self.url, "ww-corp", Secret::new(SECRET), limits).unwrap()
    }
}

fn one() -> Vec<String> {
    vec!["100011".to_owned()]
}

fn token(text: &str, expires_in: u64) -> Answer {
    let token = format!(r#""access_token":"{text}","expires_in":{expires_in}"#);
    ok(&format!(r#"{{"errcode":0,"errmsg":"ok",{token}}}"#))
}

/// WeCom whose tokens are good, and whose contact ways are what is said.
async fn says(body: &'static str) -> Stub {
    Stub::play(move |request| match request {
        asked if asked.contains("/cgi-bin/gettoken") => token("good", 7200),
        _ => ok(body),
    })
    .await
}

#[tokio::test]
async fn a_contact_way_is_by_qr_code_for_its_members_and_brings_the_state() {
    let stub = says(WAY).await;
    let wecom = stub.wecom(Limits::default());
    let remark = "备".repeat(31);
    let way = wecom.add_contact_way(&one(), &remark, "b-Az_09").await.unwrap();
    assert_eq!(way.config_id, "c1");
    assert_eq!(way.qr_code, "https://wework.example/c1");
    let asked = stub.asked("add_contact_way?access_token=good ");
    let remark = "备".repeat(30);
    assert!(asked[0].ends_with(&format!(
        r#"{{"type":1,"scene":2,"remark":"{remark}","skip_verify":true,"state":"b-Az_09","user":["100011"]}}"#
    )));
    let two = ["100011".to_owned(), "100012".to_owned()];
    wecom.add_contact_way(&two, "", "s").await.unwrap();
    assert!(stub.asked(r#"{"type":2,"scene":2,"#)[0].contains(r#""user":["100011","100012"]"#));
    let fetched = stub.asked("GET /cgi-bin/gettoken?corpid=ww-corp&corpsecret=");
    assert_eq!(fetched.len(), 1);
}

#[tokio::test]
async fn every_refusal_of_a_contact_way_has_its_reason() {
    let table = [
        (r#"{"errcode":-1,"errmsg":"busy"}"#, Reason::RemoteUnavailable, Some(5)),
        (r#"{"errcode":45009,"errmsg":"freq"}"#, Reason::RemoteUnavailable, Some(60)),
        (r#"{"errcode":45011,"errmsg":"freq"}"#, Reason::RemoteUnavailable, Some(60)),
        (r#"{"errcode":45033,"errmsg":"at once"}"#, Reason::RemoteUnavailable, Some(60)),
        (r#"{"errcode":41037,"errmsg":"type"}"#, Reason::Internal, None),
        (r#"{"errcode":41040,"errmsg":"scene"}"#, Reason::Internal, None),
        (r#"{"errcode":48002,"errmsg":"forbidden"}"#, Reason::Internal, None),
        (r#"{"errcode":60020,"errmsg":"ip"}"#, Reason::Internal, None),
        (r#"{"errcode":60111,"errmsg":"userid"}"#, Reason::Internal, None),
        (r#"{"errcode":84074,"errmsg":"no contact"}"#, Reason::Internal, None),
        (r#"{"errcode":99999,"errmsg":"new"}"#, Reason::RemoteUnavailable, Some(5)),
        ("<html>", Reason::RemoteUnavailable, Some(5)),
        ("{}", Reason::RemoteUnavailable, Some(5)),
        (r#"{"config_id":"","qr_code":"https://x"}"#, Reason::RemoteUnavailable, Some(5)),
        (r#"{"config_id":"c","qr_code":"javascript:x"}"#, Reason::RemoteUnavailable, Some(5)),
    ];
    for (body, reason, wait) in table {
        let wecom = says(body).await.wecom(Limits::default());
        let error = wecom.add_contact_way(&one(), "", "s").await.unwrap_err();
        assert_eq!(error.reason(), reason, "{body}");
        assert_eq!(error.wait().map(|wait| wait.as_secs()), wait, "{body}");
    }
}

#[tokio::test]
async fn a_refused_token_is_fetched_anew_and_the_call_repeated_once() {
    for refusal in [r#"{"errcode":40014}"#, r#"{"errcode":42001}"#] {
        let fetched = AtomicUsize::new(0);
        let stub = Stub::play(move |request| match request {
            asked if asked.contains("gettoken") => {
                let number = fetched.fetch_add(1, Ordering::Relaxed);
                token(if number == 0 { "old" } else { "good" }, 7200)
            }
            asked if asked.contains("access_token=good ") => ok(WAY),
            _ => ok(refusal),
        })
        .await;
        let wecom = stub.wecom(Limits::default());
        assert!(wecom.add_contact_way(&one(), "", "s").await.is_ok());
        assert!(wecom.add_contact_way(&one(), "", "s").await.is_ok());
        assert_eq!(stub.asked("gettoken").len(), 2, "as given, and anew; then kept");
        assert_eq!(stub.asked("add_contact_way").len(), 3);
    }
}

#[tokio::test]
async fn a_token_that_wecom_hands_out_and_refuses_is_not_asked_for_on_and_on() {
    let stub = says(r#"{"errcode":40014,"errmsg":"invalid access_token"}"#).await;
    let wecom = stub.wecom(Limits::default());
    for _ in 0..3 {
        let error = wecom.add_contact_way(&one(), "", "s").await.unwrap_err();
        assert_eq!(error.reason(), Reason::RemoteUnavailable);
        assert!(error.wait().unwrap().as_secs() >= 29);
    }
    assert_eq!(stub.asked("gettoken").len(), 2);
    assert_eq!(stub.asked("add_contact_way").len(), 1);
    // A fresh token that is refused too ends the call: one repetition, not more.
    let fetched = AtomicUsize::new(0);
    let stub = Stub::play(move |request| match request {
        asked if asked.contains("gettoken") => {
            token(&format!("t{}", fetched.fetch_add(1, Ordering::Relaxed)), 7200)
        }
        _ => ok(r#"{"errcode":42001}"#),
    })
    .await;
    let error = stub.wecom(Limits::default()).add_contact_way(&one(), "", "s").await.unwrap_err();
    assert_eq!(error.reason(), Reason::RemoteUnavailable);
    assert_eq!(stub.asked("add_contact_way").len(), 2);
}

#[tokio::test]
async fn one_token_of_wecom_is_fetched_for_twenty_calls_at_once_and_kept_while_it_is_fresh() {
    let stub = says(WAY).await;
    let wecom = stub.wecom(Limits::default());
    let members = one();
    let calls = (0..20).map(|_| wecom.add_contact_way(&members, "", "s"));
    for way in futures::future::join_all(calls).await {
        assert!(way.is_ok());
    }
    assert_eq!(stub.asked("gettoken").len(), 1);
    // In the last minute of its life it is used and not kept: the next one is taken over.
    let stub = Stub::play(|request| match request {
        asked if asked.contains("gettoken") => token("good", 60),
        _ => ok(WAY),
    })
    .await;
    let wecom = stub.wecom(Limits::default());
    for _ in 0..2 {
        assert!(wecom.add_contact_way(&one(), "", "s").await.is_ok());
    }
    assert_eq!(stub.asked("gettoken").len(), 2);
}

#[tokio::test]
async fn no_failure_of_wecom_tells_a_secret() {
    let repeated = format!(r#"{{"errcode":40001,"errmsg":"{SECRET}, hint: [{SECRET}]"}}"#);
    let stubs = [
        Stub::play(move |_| ok(&repeated)).await,
        Stub::play(|_| Answer::Says("502 Bad Gateway", SECRET.to_owned())).await,
        Stub::play(|_| Answer::Silence).await,
    ];
    for (stub, reason) in
        stubs.iter().zip([Reason::Internal, Reason::RemoteUnavailable, Reason::RemoteUnavailable])
    {
        let wecom = stub.wecom(QUICK);
        let error = wecom.add_contact_way(&one(), "", "s").await.unwrap_err();
        assert_eq!(error.reason(), reason);
        let text = format!("{} {wecom:?}", everything(&error));
        assert!(!text.contains(SECRET), "{text}");
    }
}
