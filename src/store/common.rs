//! What the rows of every noun share: history, inbox, evaluations, numbers, the outbox, retention, seals, settings.

pub mod evaluations;
pub mod history;
pub mod notice_deliveries;
pub mod notice_preferences;
pub mod notices;
pub mod numbers;
pub mod outbox;
pub mod retention;
pub mod vault;
pub mod webhooks;
pub mod world;
