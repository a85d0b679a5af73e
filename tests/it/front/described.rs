//! The description of the API for tools of the web: it is whole, it fits the API, and it changes on purpose.

use std::{collections::BTreeSet, fmt::Write as _};

use jingqi::surface::{error::Reason, service::policy::POLICY};
use reqwest::Client;
use serde_json::Value;
use sqlx::PgPool;

use crate::harness::App;

/// Everything that is pointed to.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(entries) => {
            if let Some(Value::String(name)) = entries.get("$ref") {
                found.insert(name);
            }
            entries.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[sqlx::test]
async fn the_description_is_whole_and_fits_the_api(pool: PgPool) {
    let app = App::start(pool).await;
    let url = format!("http://{}/openapi.json", app.address);
    let response = Client::new().get(&url).header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let etag = response.headers()["etag"].clone();
    let packed = response.bytes().await.unwrap();
    assert!(packed.len() < 200_000, "{}", packed.len());
    let again = Client::new().get(&url).header("if-none-match", &etag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    let response = reqwest::get(&url).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    let document: Value = response.json().await.unwrap();

    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    // Every pointer leads somewhere.
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in found {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{reference}");
    }
    // Each method once, with who may call it; ids are unique.
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), POLICY.len());
    let (mut ids, mut table) = (BTreeSet::new(), String::new());
    for (path, item) in paths {
        let name = path.strip_prefix("/jingqi.v1.").unwrap();
        assert!(POLICY.iter().any(|(method, _)| *method == name), "{path}");
        for (verb, operation) in item.as_object().unwrap() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()));
            assert!(!operation["x-roles"].as_array().unwrap().is_empty(), "{path}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("200") && responses.contains_key("default"));
            assert_eq!(operation.get("requestBody").is_some(), verb == "post", "{path}");
        }
        let post = &item["post"];
        let schema = |value: &Value| {
            let (form, content) = value["content"].as_object().unwrap().iter().next().unwrap();
            let schema = content["schema"]["$ref"].as_str().unwrap_or("object");
            (form.clone(), schema.rsplit('.').next().unwrap().to_owned())
        };
        let ((form, asks), (_, answers)) =
            (schema(&post["requestBody"]), schema(&post["responses"]["200"]));
        let stream = if form.contains("connect") { ", a stream" } else { "" };
        writeln!(table, "{name}: {asks} -> {answers}{stream}").unwrap();
    }
    let reasons = document["components"]["schemas"]["Error"]["x-reasons"].as_object().unwrap();
    assert_eq!(reasons.len(), Reason::ALL.len());
    insta::assert_snapshot!(table);
}
