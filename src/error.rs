//! The one error type; its closed catalogue of reasons stands in `reason`, that of faults in `flaw`. No transport
//! status, no SQL here.

mod faults;
mod flaw;
mod reason;

use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

pub use faults::{Faults, Field};
pub use flaw::Flaw;
pub use reason::{Kind, Reason};

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure: a reason, what is known about it, and for the log its source.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    reason: Reason,
    facts: Vec<(&'static str, String)>,
    fields: Vec<Field>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure for a reason of the catalogue.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        Self(Box::new(Inner {
            reason,
            facts: Vec::new(),
            fields: Vec::new(),
            retry_after: None,
            source: None,
        }))
    }

    /// The request has these wrong fields.
    #[must_use]
    pub fn invalid(fields: Vec<Field>) -> Self {
        let mut error = Self::new(Reason::RequestInvalid);
        error.0.fields = fields;
        error
    }

    /// The request has one wrong field.
    #[must_use]
    pub fn field(path: impl Into<String>, flaw: Flaw) -> Self {
        Self::invalid(vec![Field { path: path.into(), flaw, zh: Cow::Borrowed(flaw.zh()) }])
    }

    /// A fault of ours, with its cause for the log.
    #[must_use]
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Reason::Internal).because(source)
    }

    /// Adds a fact that the caller may read.
    #[must_use]
    pub fn fact(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.facts.push((key, value.to_string()));
        self
    }

    /// Adds wrong fields.
    #[must_use]
    pub fn fields_added(mut self, fields: Vec<Field>) -> Self {
        self.0.fields.extend(fields);
        self
    }

    /// Adds the wait after which a repetition may succeed.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Adds the cause, for the log only.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// The facts, in the order in which they were added.
    #[must_use]
    pub fn facts(&self) -> &[(&'static str, String)] {
        &self.0.facts
    }

    /// The wrong fields.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.0.fields
    }

    /// The wait before a repetition.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.reason.wire())?;
        for (key, value) in &self.0.facts {
            write!(f, " {key}={value}")?;
        }
        for field in &self.0.fields {
            write!(f, " {}:{}", field.path, field.flaw.wire())?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}
