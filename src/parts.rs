//! What servers and workers are made of: one struct below both, so that neither names who assembles it.

use std::sync::Arc;

use object_store::local::LocalFileSystem;

use crate::{
    clock::{Clock, Ids},
    domain::common::notice::fields::Templates,
    remote::{sms::Sms, webhook::Webhooks, wechat::Wechat, wecom::Wecom},
    store::{Store, World},
};

/// What a server is made of; the tests make it with a clock that is moved by hand.
#[derive(Clone)]
pub struct Parts {
    /// What is kept.
    pub store: Store,
    /// Keys, zones and policies.
    pub world: World,
    /// The time.
    pub clock: Clock,
    /// Ids and secrets.
    pub ids: Ids,
    /// WeChat.
    pub wechat: Arc<Wechat>,
    /// The SMS gateway, where one is named.
    pub sms: Option<Arc<Sms>>,
    /// WeCom; posts have no contact way there without it.
    pub wecom: Option<Arc<Wecom>>,
    /// The templates that are filed at WeChat, and the page that they open.
    pub templates: Arc<Templates>,
    /// Calls other systems.
    pub webhooks: Arc<Webhooks>,
    /// The folder of attachments.
    pub files: Arc<LocalFileSystem>,
}
