//! Pushes and webhooks against a server that answers as each test says, well or badly.

use std::{collections::BTreeMap, time::Duration};

use super::{Answer, Limits, QUICK, SECRET, Stub, everything, ok};
use crate::{
    domain::common::webhook::is_public,
    error::{Flaw, Reason},
    remote::{
        Secret, Taken,
        sms::Sms,
        webhook::{Letter, Webhooks},
        wechat::Subscribed,
        wecom::Wecom,
    },
};

const TOKEN: &str = r#"{"access_token":"good","expires_in":7200}"#;

async fn says(body: &'static str) -> Stub {
    Stub::play(move |request| {
        let token =
            request.contains("/cgi-bin/stable_token") || request.contains("/cgi-bin/gettoken");
        ok(if token { TOKEN } else { body })
    })
    .await
}

fn data() -> BTreeMap<String, String> {
    BTreeMap::from([("thing1".to_owned(), "您有一条新消息".to_owned())])
}

fn message(data: &BTreeMap<String, String>) -> Subscribed<'_> {
    Subscribed { openid: "o1", template_id: "T1", page: "", data, language: "zh_CN" }
}

// NO-05
#[tokio::test]
async fn a_subscription_message_is_sent_as_wechat_wants_it() {
    let stub = says(r#"{"errcode":0,"errmsg":"ok"}"#).await;
    let wechat = stub.wechat(Limits::default());
    assert_eq!(wechat.send_subscribed(&message(&data())).await.unwrap(), Taken::Sent);
    let asked = stub.asked("/cgi-bin/message/subscribe/send?access_token=good ");
    assert!(asked[0].ends_with(
        r#"{"touser":"o1","template_id":"T1","data":{"thing1":{"value":"您有一条新消息"}},"lang":"zh_CN"}"#
    ));
}

// NO-05, NO-09: what is the person's refusal, what is our fault, what passes by itself.
#[tokio::test]
async fn every_answer_to_a_subscription_message_has_its_meaning() {
    let table = [
        (r#"{"errcode":43101,"errmsg":"user refuse"}"#, Ok(Taken::Refused)),
        (r#"{"errcode":40003,"errmsg":"invalid openid"}"#, Ok(Taken::Unknown)),
        (r#"{"errcode":47003,"errmsg":"argument invalid"}"#, Err(Reason::Internal)),
        (r#"{"errcode":40037,"errmsg":"template"}"#, Err(Reason::Internal)),
        (r#"{"errcode":41030,"errmsg":"page"}"#, Err(Reason::Internal)),
        (r#"{"errcode":-1,"errmsg":"busy"}"#, Err(Reason::RemoteUnavailable)),
        (r#"{"errcode":45009,"errmsg":"limit"}"#, Err(Reason::RemoteUnavailable)),
        (r#"{"errcode":99999,"errmsg":"new"}"#, Err(Reason::RemoteUnavailable)),
        ("<html>", Err(Reason::RemoteUnavailable)),
    ];
    for (body, expected) in table {
        let wechat = says(body).await.wechat(Limits::default());
        let taken = wechat.send_subscribed(&message(&data())).await;
        assert_eq!(
            taken.as_ref().map_err(crate::error::Error::reason).copied(),
            expected,
            "{body}"
        );
        let told = taken.err().map(|error| everything(&error)).unwrap_or_default();
        assert!(
            !told.contains(SECRET) && !told.contains("o1") && !told.contains("新消息"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn every_answer_to_a_message_of_wecom_has_its_meaning() {
    let table = [
        (r#"{"errcode":0,"errmsg":"ok","msgid":"m"}"#, Ok(Some(Taken::Sent))),
        (r#"{"errcode":0,"invaliduser":"100011"}"#, Ok(Some(Taken::Unknown))),
        (r#"{"errcode":0,"invaliduser":""}"#, Ok(Some(Taken::Sent))),
        (r#"{"errcode":81013,"errmsg":"all invalid"}"#, Ok(Some(Taken::Unknown))),
        (r#"{"errcode":40056,"errmsg":"agent"}"#, Err(Reason::Internal)),
        (r#"{"errcode":-1,"errmsg":"busy"}"#, Err(Reason::RemoteUnavailable)),
        (r#"{"errcode":45009,"errmsg":"freq"}"#, Err(Reason::RemoteUnavailable)),
    ];
    for (body, expected) in table {
        let stub = says(body).await;
        let wecom = Wecom::new(&stub.url, "ww", Secret::new(SECRET), Limits::default()).unwrap();
        let wecom = wecom.with_agent(7);
        let taken = wecom.send_text("100011", "诉求待签收").await;
        assert_eq!(
            taken.as_ref().map_err(crate::error::Error::reason).copied(),
            expected,
            "{body}"
        );
        let asked = stub.asked("/cgi-bin/message/send?access_token=good ");
        assert!(asked[0].ends_with(
            r#"{"touser":"100011","msgtype":"text","agentid":7,"text":{"content":"诉求待签收"},"enable_duplicate_check":1}"#
        ));
    }
    // Without an agent nobody is asked.
    let stub = says("{}").await;
    let wecom = Wecom::new(&stub.url, "ww", Secret::new(SECRET), Limits::default()).unwrap();
    assert_eq!(wecom.send_text("100011", "x").await.unwrap(), None);
    assert!(stub.asked("").is_empty());
}

#[tokio::test]
async fn a_notice_by_sms_names_its_filed_text_and_parameters() {
    let stub = Stub::play(|_| Answer::Says("202 Accepted", String::new())).await;
    let sms = Sms::new(&stub.url, Secret::new(SECRET), "login-code", Limits::default()).unwrap();
    let parameters = BTreeMap::from([("number", "SQ1"), ("state", "已暂停")]);
    sms.send_notice("13812345678", "notice-pass", &parameters).await.unwrap();
    assert!(stub.asked("")[0].ends_with(
        r#"{"phone":"13812345678","template":"notice-pass","parameters":{"number":"SQ1","state":"已暂停"}}"#
    ));
}

// NO-08: what an administrator may write, and what none may.
#[test]
fn an_address_of_a_webhook_is_public_and_by_tls() {
    let (public, private) = (Webhooks::new(QUICK, false), Webhooks::new(QUICK, true));
    let table = [
        ("https://12345.example.gov.cn/hook?k=1", true, true),
        ("https://58.218.1.1/hook", true, true),
        ("https://10.0.0.1/hook", false, true),
        ("https://[fd00::1]/hook", false, true),
        ("https://localhost/hook", false, true),
        ("https://127.1/hook", false, true),
        ("https://0x7f000001/hook", false, true),
        ("https://[::ffff:127.0.0.1]/hook", false, true),
        ("http://127.0.0.1:8080/hook", false, true),
        ("http://10.0.0.1/hook", false, false),
        ("http://example.com/hook", false, false),
        ("ftp://example.com/", false, false),
        ("file:///etc/passwd", false, false),
        ("https://user:pass@example.com/", false, false),
        ("https://example.com/#x", false, false),
        ("no address", false, false),
    ];
    for (url, in_public, in_private) in table {
        assert_eq!(public.check(url).is_ok(), in_public, "{url}");
        assert_eq!(private.check(url).is_ok(), in_private, "{url}");
    }
    assert_eq!(public.check(""), Err(Flaw::Required));
    assert_eq!(public.check(&format!("https://e.cn/{}", "a".repeat(500))), Err(Flaw::TooLong));
}

fn letter(url: &str) -> Letter<'_> {
    Letter { url, id: "msg_1", timestamp: 1_795_000_000, signature: "v1,x", body: "{}" }
}

// NO-08: one address of our own network among those of a name spoils them all.
#[test]
fn a_name_that_also_leads_into_our_own_network_is_not_called() {
    let (public, private) = (Webhooks::new(QUICK, false), Webhooks::new(QUICK, true));
    let addresses = |list: &[&str]| list.iter().map(|it| it.parse().unwrap()).collect::<Vec<_>>();
    let world = addresses(&["58.218.1.1:443", "[240e::1]:443"]);
    assert_eq!(public.judge(world.clone()).unwrap(), world);
    for spoiled in [&["58.218.1.1:443", "10.0.0.1:443"][..], &["[::1]:443", "58.218.1.1:443"], &[]]
    {
        assert!(public.judge(addresses(spoiled)).is_err(), "{spoiled:?}");
    }
    assert!(private.judge(addresses(&["10.0.0.1:443"])).is_ok());
    assert!(private.judge(Vec::new()).is_err());
}

// NO-08: what a name leads to is judged when it is called, redirects are not followed, silence ends.
#[tokio::test]
async fn a_webhook_is_called_where_it_was_judged_and_nowhere_else() {
    let stub =
        Stub::play(|_| Answer::Says("302 Found\r\nlocation: /elsewhere", String::new())).await;
    let port = stub.url.rsplit(':').next().unwrap().to_owned();
    let private = Webhooks::new(Limits::default(), true);
    let url = format!("{}/hook", stub.url);
    assert_eq!(private.post(&letter(&url)).await.unwrap(), 302);
    let asked = stub.asked("");
    assert_eq!(asked.len(), 1);
    for header in ["webhook-id: msg_1", "webhook-timestamp: 1795000000", "webhook-signature: v1,x"]
    {
        assert!(asked[0].contains(header), "{header}");
    }
    // Stored while it was permitted, or a name that leads home: nobody is called.
    let public = Webhooks::new(Limits::default(), false);
    for url in [url.clone(), format!("https://localhost:{port}/hook")] {
        let refused = public.post(&letter(&url)).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::RemoteUnavailable, "{url}");
    }
    assert_eq!(stub.asked("").len(), 1);
    // The name of this machine passes for one of the world, until it is looked up.
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let found = tokio::net::lookup_host((own.trim(), 443)).await;
    if found.is_ok_and(|mut found| found.any(|address| !is_public(address.ip()))) {
        let refused = public.post(&letter(&format!("https://{}:{port}/", own.trim()))).await;
        assert!(everything(&refused.unwrap_err()).contains("our own network"), "{own}");
    }
    let silent = Stub::play(|_| Answer::Silence).await;
    let private = Webhooks::new(QUICK, true);
    let before = tokio::time::Instant::now();
    let away = private.post(&letter(&format!("{}/hook?key=k3y", silent.url))).await.unwrap_err();
    assert_eq!(away.reason(), Reason::RemoteUnavailable);
    assert!(before.elapsed() < Duration::from_secs(3));
    assert!(!everything(&away).contains("k3y"));
}
