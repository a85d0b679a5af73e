//! The drawing of a lifecycle, and a step that must be stored. No noun's own rules.
//!
//! A state changes only through [`State::advance`], which gives the next state together with a
//! [`Change`] whose fields nobody else can write:
//!
//! ```compile_fail
//! # use jingqi::surface::domain::common::lifecycle::Change;
//! let forged = Change { from: "DRAFT", to: "APPROVED" };
//! ```
//!
//! A step that is dropped does not compile either:
//!
//! ```compile_fail
//! #![deny(unused_must_use)]
//! # use jingqi::surface::domain::common::lifecycle::Moved;
//! fn dropped(step: fn() -> Moved<()>) {
//!     step();
//! }
//! ```

use jiff::Timestamp;

use super::{deed::Deed, follow::Follow};
use crate::{
    context::Cx,
    error::{Error, Reason, Result},
    named::{Named, Recorded},
};

/// The states of one noun, drawn as one `match`.
pub trait State: Named {
    /// What can be done to it.
    type Action: Recorded;

    /// The state in which a life begins, unless a step says otherwise.
    const FIRST: Self;

    /// What follows from the beginning of a life.
    const BEGINS: &'static [Follow] = &[];

    /// The drawing: where an action leads, or `None` where it is illegal.
    fn after(self, action: Self::Action) -> Option<Self>;

    /// What follows from an action, wherever it is taken.
    #[must_use]
    fn follows(_: Self::Action) -> &'static [Follow] {
        &[]
    }

    /// What follows from an act that leaves the state as it is.
    #[must_use]
    fn follows_deed(_: Deed) -> &'static [Follow] {
        &[]
    }

    /// Why something cannot be done to it now.
    fn refuses(self, what: impl Named) -> Error {
        Error::new(Reason::TransitionIllegal).fact("state", self.wire()).fact("action", what.wire())
    }

    /// Takes the step, or says why not.
    fn advance(self, action: Self::Action, note: Note, cx: &Cx) -> Result<(Held<Self>, Change)> {
        let next = self.after(action).ok_or_else(|| self.refuses(action))?;
        let change = Change {
            from: self.wire(),
            to: next.wire(),
            action: action.wire(),
            actor: cx.actor.name(),
            time: cx.now,
            note,
            follows: Self::follows(action).to_vec(),
        };
        Ok((Held(next), change))
    }
}

/// A state that only a step, or the reading of a row, can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held<S>(S);

impl<S: State> Default for Held<S> {
    fn default() -> Self {
        Self(S::FIRST)
    }
}

impl<S: Copy> Held<S> {
    /// The state of a stored row; the store alone says this.
    #[must_use]
    pub const fn row(state: S) -> Self {
        Self(state)
    }

    /// The state.
    #[must_use]
    pub const fn state(self) -> S {
        self.0
    }
}

/// What is said about a step: to the citizen, and among officers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    /// What the citizen may read in the timeline.
    pub public: String,
    /// What only officers may read.
    pub internal: String,
    /// A coded reason, where the step needs one.
    pub reason: Option<&'static str>,
}

impl Note {
    /// Nothing to say.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// A sentence that the citizen may read.
    #[must_use]
    pub fn public(text: impl Into<String>) -> Self {
        Self { public: text.into(), ..Self::default() }
    }

    /// A sentence among officers.
    #[must_use]
    pub fn internal(text: impl Into<String>) -> Self {
        Self { internal: text.into(), ..Self::default() }
    }

    /// The same, with a sentence among officers.
    #[must_use]
    pub fn and_internal(mut self, text: impl Into<String>) -> Self {
        self.internal = text.into();
        self
    }

    /// The coded reason.
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }
}

/// A step that was taken: the row of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    from: &'static str,
    to: &'static str,
    action: &'static str,
    actor: String,
    time: Timestamp,
    note: Note,
    follows: Vec<Follow>,
}

impl Change {
    /// The beginning of a life, in this state: nothing was before.
    #[must_use]
    pub fn begin<S: State>(state: S, deed: Deed, note: Note, cx: &Cx) -> (Held<S>, Self) {
        let follows = S::BEGINS.to_vec();
        let change = Self { to: state.wire(), follows, ..Self::stateless(deed, note, cx) };
        (Held(state), change)
    }

    /// A recorded act that leaves the state as it is: a claim, an edit, a note.
    #[must_use]
    pub fn remark<S: State>(state: S, deed: Deed, note: Note, cx: &Cx) -> Self {
        let follows = S::follows_deed(deed).to_vec();
        let (from, to) = (state.wire(), state.wire());
        Self { from, to, follows, ..Self::stateless(deed, note, cx) }
    }

    /// A recorded act on something that has no states.
    #[must_use]
    pub fn stateless(deed: Deed, note: Note, cx: &Cx) -> Self {
        let (action, actor) = (deed.wire(), cx.actor.name());
        Self { from: "", to: "", action, actor, time: cx.now, note, follows: Vec::new() }
    }

    /// The state before; empty at the beginning.
    #[must_use]
    pub const fn from(&self) -> &'static str {
        self.from
    }

    /// The state after.
    #[must_use]
    pub const fn to(&self) -> &'static str {
        self.to
    }

    /// What was done.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        self.action
    }

    /// Who did it: a resource name.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// When.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// What was said about it.
    #[must_use]
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// The same, from which this follows too: what the drawing cannot know, such as a day that was named.
    #[must_use]
    pub fn and(mut self, follows: impl IntoIterator<Item = Follow>) -> Self {
        self.follows.extend(follows);
        self
    }

    /// What follows from it.
    #[must_use]
    pub fn follows(&self) -> &[Follow] {
        &self.follows
    }
}

/// An entity after a step, with the step: only the store opens it, and writes both.
#[derive(Debug)]
#[must_use = "a step that is not stored did not happen"]
pub struct Moved<E> {
    entity: E,
    change: Change,
}

impl<E> Moved<E> {
    /// Binds an entity to the step that made it what it is: for the rules alone.
    pub(in crate::domain) const fn new(entity: E, change: Change) -> Self {
        Self { entity, change }
    }

    /// The entity, to look at before it is stored.
    pub const fn peek(&self) -> &E {
        &self.entity
    }

    /// The step, to look at before it is stored.
    pub const fn change(&self) -> &Change {
        &self.change
    }

    /// Alters what the step stores beside the state: a limit, an assignee.
    pub fn map(self, alter: impl FnOnce(E) -> E) -> Self {
        Self { entity: alter(self.entity), change: self.change }
    }

    /// The same, from which this follows too.
    pub(in crate::domain) fn and(self, follows: impl IntoIterator<Item = Follow>) -> Self {
        Self { entity: self.entity, change: self.change.and(follows) }
    }

    /// Opens it: for the store alone, which writes both parts in one transaction.
    pub fn open(self) -> (E, Change) {
        debug_assert!(self.change.follows.is_empty(), "what follows is dropped: settle the step");
        (self.entity, self.change)
    }

    /// The same for whoever carries out what follows.
    pub fn unfold(self) -> (E, Change) {
        (self.entity, self.change)
    }
}

/// Draws the whole table of a lifecycle, state by action, for a reviewer to read; with what follows from each
/// step, and who alone may read of it.
#[cfg(test)]
#[must_use]
pub fn drawing<S: State>() -> String {
    use crate::named::Readers;

    let told = |follows: &[Follow]| {
        let follows: Vec<_> = follows.iter().map(ToString::to_string).collect();
        if follows.is_empty() { String::new() } else { format!(" | {}", follows.join(", ")) }
    };
    let begins = told(S::BEGINS);
    let begins = (!begins.is_empty()).then(|| format!("--> {}{begins}", S::FIRST.wire()));
    let edges = S::ALL.iter().flat_map(|state| {
        S::Action::ALL.iter().filter_map(|action| {
            let next = state.after(*action)?;
            let alone = if action.readers() == Readers::Police { " | police" } else { "" };
            let follows = told(S::follows(*action));
            let (from, step, to) = (state.wire(), action.wire(), next.wire());
            Some(format!("{from} --{step}--> {to}{alone}{follows}"))
        })
    });
    let deeds = Deed::ALL.iter().filter_map(|deed| {
        let follows = told(S::follows_deed(*deed));
        (!follows.is_empty()).then(|| format!("({}){follows}", deed.wire()))
    });
    begins.into_iter().chain(edges).chain(deeds).collect::<Vec<_>>().join("\n")
}
