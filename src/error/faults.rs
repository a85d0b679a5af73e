//! The faults of one request, collected so that all are told at once.

use std::borrow::Cow;

use super::{Error, Flaw, Reason, Result};
use crate::id::{Collection, Id};

/// One field that is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The path in the request, with dots: `vehicle.plate_number`.
    pub path: String,
    /// The machine-readable reason.
    pub flaw: Flaw,
    /// What a person reads: the sentence of the flaw, or a more precise one.
    pub zh: Cow<'static, str>,
}

/// Collects every fault of a request before it fails: 一次性告知 (行政许可法, art. 32).
#[derive(Debug, Default)]
#[must_use = "call `done` so that the faults are told"]
pub struct Faults(Vec<Field>);

impl Faults {
    /// Nothing wrong yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Notes that a field is wrong.
    pub fn add(&mut self, path: impl Into<String>, flaw: Flaw) {
        self.note(Field { path: path.into(), flaw, zh: Cow::Borrowed(flaw.zh()) });
    }

    /// Keeps a fault, once: the same one again is no other, and of a field that could not be read, or is
    /// absent, nothing else can be said.
    fn note(&mut self, field: Field) {
        let bare = |flaw| matches!(flaw, Flaw::Required | Flaw::TooShort);
        let mut same = self.0.iter().filter(|known| known.path == field.path);
        let told = same.any(|known| {
            let same = known.flaw == field.flaw && known.zh == field.zh;
            same || bare(field.flaw) || known.flaw == Flaw::Required
        });
        if !told {
            self.0.push(field);
        }
    }

    /// Notes that a field is wrong, with a sentence more precise than the catalogue's.
    pub fn add_told(&mut self, path: impl Into<String>, flaw: Flaw, zh: impl Into<String>) {
        self.note(Field { path: path.into(), flaw, zh: Cow::Owned(zh.into()) });
    }

    /// Keeps the value, or notes the flaw.
    pub fn take<T>(&mut self, path: impl Into<String>, parsed: Result<T, Flaw>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(flaw) => {
                self.add(path, flaw);
                None
            }
        }
    }

    /// Keeps the value that may be absent, or notes the flaw.
    pub fn maybe<T>(
        &mut self,
        path: impl Into<String>,
        parsed: Result<Option<T>, Flaw>,
    ) -> Option<T> {
        self.take(path, parsed).flatten()
    }

    /// Keeps the id that stands as `name`, of the resource that a request is about.
    pub fn name<K: Collection>(&mut self, text: &str) -> Option<Id<K>> {
        self.take("name", Id::parse(text))
    }

    /// Notes the flaw when the condition does not hold.
    pub fn check(&mut self, holds: bool, path: impl Into<String>, flaw: Flaw) {
        if !holds {
            self.add(path, flaw);
        }
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes over what another collector found, below a path.
    pub fn absorb(&mut self, prefix: &str, other: Self) {
        for field in other.0 {
            self.note(Field { path: format!("{prefix}.{}", field.path), ..field });
        }
    }

    /// What was found.
    #[must_use]
    pub fn into_fields(self) -> Vec<Field> {
        self.0
    }

    /// What was taken, when nothing was found; else fails with everything that was found.
    pub fn whole<T: Taken>(self, taken: T) -> Result<T::Values> {
        self.done()?;
        // What is absent was noted, so that nobody is ever told this.
        taken.values().ok_or_else(|| Error::new(Reason::RequestInvalid))
    }

    /// Fails when anything was found, with everything that was found.
    pub fn done(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::invalid(self.0)) }
    }
}

/// What [`Faults::take`] answered, for one field or for several.
pub trait Taken {
    /// The values themselves.
    type Values;

    /// All of them, when none is absent.
    fn values(self) -> Option<Self::Values>;
}

impl<T> Taken for Option<T> {
    type Values = T;

    fn values(self) -> Option<T> {
        self
    }
}

macro_rules! taken {
    ($($value:ident)+) => {
        #[allow(non_snake_case, reason = "a value is named after its type")]
        impl<$($value),+> Taken for ($(Option<$value>,)+) {
            type Values = ($($value,)+);

            fn values(self) -> Option<Self::Values> {
                let ($($value,)+) = self;
                Some(($($value?,)+))
            }
        }
    };
}

taken! { A B }
taken! { A B C }
taken! { A B C D }
taken! { A B C D E }
taken! { A B C D E F }
taken! { A B C D E F G }
