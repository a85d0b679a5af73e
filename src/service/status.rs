//! Error to status: the only place that knows both. Four detail types, Chinese sentences.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, LocalizedMessage, StatusExt as _};

use crate::error::{Error, Kind};

/// The domain of our reasons (AIP-193).
pub const DOMAIN: &str = "jingqi";
const LOCALE: &str = "zh-CN";

/// The code that tells a caller what it can do.
#[must_use]
pub const fn code(kind: Kind) -> Code {
    match kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::Denied => Code::PermissionDenied,
        Kind::NotFound => Code::NotFound,
        Kind::Exists => Code::AlreadyExists,
        Kind::Precondition => Code::FailedPrecondition,
        Kind::Aborted => Code::Aborted,
        Kind::Exhausted => Code::ResourceExhausted,
        Kind::Unavailable => Code::Unavailable,
        Kind::Internal => Code::Internal,
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        log(&error);
        let reason = error.reason();
        let facts = error.facts().iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
        let mut details = ErrorDetails::new();
        details.set_error_info(reason.wire(), DOMAIN, facts.collect::<HashMap<_, _>>());
        details.set_localized_message(LOCALE, reason.zh());
        if !error.fields().is_empty() {
            let violations = error.fields().iter().map(|field| FieldViolation {
                field: field.path.clone(),
                description: field.zh.clone().into_owned(),
                reason: field.flaw.wire().to_owned(),
                localized_message: Some(LocalizedMessage::new(LOCALE, field.zh.clone())),
            });
            details.set_bad_request(violations.collect::<Vec<_>>());
        }
        let retried = matches!(reason.kind(), Kind::Exhausted | Kind::Unavailable);
        if let Some(wait) = error.wait().or(retried.then_some(Duration::from_secs(1))) {
            details.set_retry_info(Some(wait));
        }
        // The sentence stands in the message too: the simplest client shows just that.
        #[expect(clippy::disallowed_methods, reason = "the one place that makes a status")]
        Self::with_error_details(code(reason.kind()), reason.zh(), details)
    }
}

/// One line per failure, inside the span of its call. The source never leaves this house.
fn log(error: &Error) {
    let reason = error.reason().wire();
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    match error.reason().kind() {
        Kind::Internal => tracing::error!(error.reason = reason, %error, source, "call failed"),
        Kind::Denied | Kind::Unavailable => {
            tracing::warn!(error.reason = reason, source, "call failed");
        }
        _ => tracing::debug!(error.reason = reason, source, "call failed"),
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};
    use tonic_types::StatusExt as _;

    use crate::error::{Error, Faults, Flaw, Reason};

    #[test]
    fn a_status_names_every_field_at_once_in_chinese_and_for_machines() {
        let mut faults = Faults::new();
        faults.add("vehicle.plate_number", Flaw::PlateMalformed);
        faults.add("vehicle.vin", Flaw::Required);
        let status = Status::from(Error::invalid(faults.into_fields()));
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        let fields = &details.bad_request().unwrap().field_violations;
        assert_eq!(fields.len(), 2);
        assert_eq!(fields[0].field, "vehicle.plate_number");
        assert_eq!(fields[0].reason, "PLATE_MALFORMED");
        assert_eq!(fields[0].description, "号牌号码格式不正确");
        assert_eq!(details.localized_message().unwrap().locale, "zh-CN");
    }

    #[test]
    fn what_may_be_repeated_carries_a_wait_and_never_its_source() {
        let error = Error::new(Reason::StoreUnavailable).because("password=hunter2");
        let status = Status::from(error);
        let details = status.get_error_details();
        assert!(details.retry_info().unwrap().retry_delay.is_some());
        assert!(!format!("{status:?}").contains("hunter2"));
    }
}
