//! The conversation of an enterprise with a liaison post (警务直通车) and its drawing: who holds it,
//! who waits for whom, what each message changes. Who may read is judged by the store.

use jiff::{SignedDuration, Timestamp};

use super::message::{Content, Message};
use crate::{
    context::Cx,
    domain::{
        common::{
            deed::Deed,
            follow::Follow,
            lifecycle::{Change, Held, Moved, Note, State},
        },
        duty::{calendar::Due, obligation::ObligationKind},
    },
    error::{Error, Reason, Result},
    id::{Id, kind},
    named::named,
};

/// An own message may be taken back so long (facts.md, 4.7).
pub const RECALL_WITHIN: SignedDuration = SignedDuration::from_mins(2);
/// An officer who lets an enterprise wait so long loses the conversation to the queue.
pub const SILENT_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// The same for one who said to be away.
pub const AWAY_AFTER: SignedDuration = SignedDuration::from_mins(2);
/// Who closes is rated; who does not rate is asked once more, after so long.
pub const REMIND_AFTER: SignedDuration = SignedDuration::from_hours(48);
/// The people of the enterprise in one conversation.
pub const MEMBERS_MAX: usize = 20;

named! {
/// Where a conversation stands.
ConversationState {
    /// Waits in the queue of the post.
    Queued = "QUEUED", "待接待";
    /// An officer holds it.
    Claimed = "CLAIMED", "接待中";
    /// Settled, until the enterprise writes again.
    Closed = "CLOSED", "已办结";
}
}

named! {
/// What can be done to a conversation.
ConversationAction, readers: Readers {
    /// By an officer of the post.
    Claim = "CLAIM", "接手", Everybody;
    /// By the officer who holds it.
    Transfer = "TRANSFER", "转交", Everybody;
    /// By the officer who holds it.
    Return = "RETURN", "退回队列", Everybody;
    /// By the clock: silent, off duty or away; or with the officer's post.
    Release = "RELEASE", "系统退回队列", Everybody;
    /// By the officer who holds it.
    Close = "CLOSE", "办结", Everybody;
    /// By a message of the enterprise.
    Reopen = "REOPEN", "重新咨询", Everybody;
}
}

impl State for ConversationState {
    type Action = ConversationAction;
    const FIRST: Self = Self::Queued;

    fn after(self, action: ConversationAction) -> Option<Self> {
        use ConversationAction::{Claim, Close, Release, Reopen, Return, Transfer};
        Some(match (self, action) {
            (Self::Queued, Claim) | (Self::Claimed, Transfer) => Self::Claimed,
            (Self::Claimed, Return | Release) | (Self::Closed, Reopen) => Self::Queued,
            (Self::Claimed, Close) => Self::Closed,
            _ => return None,
        })
    }

    fn follows(action: ConversationAction) -> &'static [Follow] {
        use ConversationAction::{Claim, Close, Release, Reopen, Return, Transfer};
        match action {
            // Who closes has answered, for better or worse: the rating tells. Which answer was owed is known with
            // the step.
            Close => &[Follow::Meet(ObligationKind::SolveConversation), Follow::Invite],
            Claim | Transfer | Return | Release | Reopen => &[],
        }
    }
}

/// A conversation.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Its id.
    pub id: Id<kind::Conversation>,
    /// Whose it is.
    pub enterprise: Id<kind::Enterprise>,
    /// With which post.
    pub post: Id<kind::LiaisonPost>,
    /// The path of the post's unit.
    pub unit_path: String,
    /// What it is about.
    pub title: String,
    /// Who holds it.
    pub assignee: Option<Id<kind::Officer>>,
    /// Since when.
    pub claim_time: Option<Timestamp>,
    /// Since when it waits in the queue.
    pub queue_time: Timestamp,
    /// The sequence of the last message.
    pub last_sequence: i64,
    /// The last link of the hash chain.
    pub chain: [u8; 32],
    /// Since when the enterprise waits for an answer.
    pub awaiting_since: Option<Timestamp>,
    /// When it was told that nobody is on duty.
    pub auto_reply_time: Option<Timestamp>,
    /// The last answer since it was opened, or opened again.
    pub reply_time: Option<Timestamp>,
    /// Until when the running answer is promised.
    pub reply_due_time: Option<Timestamp>,
    /// How often it was closed.
    pub round: i32,
    /// When it began.
    pub create_time: Timestamp,
    /// The last write.
    pub update_time: Timestamp,
    /// Rises with each step.
    pub version: i64,
    /// The stored state.
    pub held: Held<ConversationState>,
}

/// Who sends a message.
#[derive(Debug, Clone)]
pub struct Sender {
    /// persons/..., officers/... or `system`.
    pub name: String,
    /// The device (session) and the id that it chose.
    pub sent_as: Option<(uuid::Uuid, uuid::Uuid)>,
    /// SHA-256 of what was sent.
    pub digest: [u8; 32],
}

impl Sender {
    /// The system itself.
    #[must_use]
    pub fn system() -> Self {
        Self { name: "system".to_owned(), sent_as: None, digest: [0; 32] }
    }
}

impl Conversation {
    /// The state.
    #[must_use]
    pub const fn state(&self) -> ConversationState {
        self.held.state()
    }

    /// A new conversation, in the queue of its post.
    pub fn open(mut self, cx: &Cx) -> Moved<Self> {
        let (held, change) =
            Change::begin(ConversationState::Queued, Deed::Create, Note::none(), cx);
        self.held = held;
        Moved::new(self, change)
    }

    /// An officer of the post takes it.
    pub fn claim(mut self, officer: Id<kind::Officer>, cx: &Cx) -> Result<Moved<Self>> {
        let change = self.advance(ConversationAction::Claim, Note::none(), cx)?;
        self.assignee = Some(officer);
        self.claim_time = Some(cx.now);
        Ok(Moved::new(self, change))
    }

    /// The officer who holds it hands it to a colleague.
    pub fn transfer(
        mut self,
        officer: Id<kind::Officer>,
        note: String,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        self.held_by(cx)?;
        let change = self.advance(ConversationAction::Transfer, Note::internal(note), cx)?;
        self.assignee = Some(officer);
        self.claim_time = Some(cx.now);
        Ok(Moved::new(self, change))
    }

    /// The officer who holds it puts it back.
    pub fn give_back(self, note: String, cx: &Cx) -> Result<Moved<Self>> {
        self.held_by(cx)?;
        self.back_to_queue(ConversationAction::Return, Note::internal(note), cx)
    }

    /// It goes back to the queue by itself.
    pub fn release(self, cause: Release, cx: &Cx) -> Result<Moved<Self>> {
        let note = Note::internal(cause.zh()).reason(cause.wire());
        self.back_to_queue(ConversationAction::Release, note, cx)
    }

    /// With its officer's post it goes to a colleague, or to the queue.
    pub fn hand_over(
        mut self,
        successor: Option<Id<kind::Officer>>,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        let Some(successor) = successor else { return self.release(Release::HandedOver, cx) };
        let note = Note::internal(Release::HandedOver.zh()).reason(Release::HandedOver.wire());
        let change = self.advance(ConversationAction::Transfer, note, cx)?;
        self.assignee = Some(successor);
        self.claim_time = Some(cx.now);
        Ok(Moved::new(self, change))
    }

    /// The officer who holds it says that it is settled.
    pub fn close(mut self, summary: String, cx: &Cx) -> Result<Moved<Self>> {
        self.held_by(cx)?;
        let owed = Follow::Meet(self.reply_kind());
        let change =
            self.advance(ConversationAction::Close, Note::public(summary), cx)?.and([owed]);
        self.assignee = None;
        self.claim_time = None;
        self.awaiting_since = None;
        self.reply_due_time = None;
        self.auto_reply_time = None;
        self.round = self.round.saturating_add(1);
        Ok(Moved::new(self, change))
    }

    /// The enterprise writes again.
    pub fn reopen(mut self, cx: &Cx) -> Result<Moved<Self>> {
        let change = self.advance(ConversationAction::Reopen, Note::none(), cx)?;
        self.queue_time = cx.now;
        self.reply_time = None;
        Ok(Moved::new(self, change))
    }

    /// Only the officer who holds it may go on (CH-13).
    pub fn held_by(&self, cx: &Cx) -> Result<()> {
        let officer = cx.actor.officer()?;
        if self.state() != ConversationState::Claimed {
            return Err(Error::new(Reason::TransitionIllegal).fact("state", self.state().wire()));
        }
        if self.assignee == Some(officer) { Ok(()) } else { Err(Error::new(Reason::NotAssignee)) }
    }

    /// Puts a message at the end: the next sequence, the next link.
    pub fn append(&mut self, sender: Sender, content: &Content, now: Timestamp) -> Message {
        let mut message = Message {
            conversation: self.id,
            sequence: self.last_sequence.saturating_add(1),
            sender: sender.name,
            sent_as: sender.sent_as,
            digest: sender.digest,
            kind: content.kind(),
            body: content.body().to_owned(),
            detail: content.detail(),
            attachment: content.attachment().map(Id::uuid),
            target: content.target(),
            create_time: now,
            recall_time: None,
            chain: [0; 32],
        };
        message.chain = message.link(&self.chain);
        self.chain = message.chain;
        self.last_sequence = message.sequence;
        self.update_time = now;
        message
    }

    /// The enterprise asked: the clock of the answer begins with the first open question, that of the solution
    /// with the first question since it was opened, or opened again. What follows is carried out with the message.
    pub fn ask(&mut self, due: Due, now: Timestamp) -> Vec<Follow> {
        if self.awaiting_since.is_some() {
            return Vec::new();
        }
        self.awaiting_since = Some(now);
        self.reply_due_time = Some(due.at);
        let first = self.reply_time.is_none();
        let solution = first.then_some(Follow::Owe(ObligationKind::SolveConversation));
        [Follow::OweUntil(self.reply_kind(), due)].into_iter().chain(solution).collect()
    }

    /// The officer answered: what was owed is met.
    pub fn answer(&mut self, now: Timestamp) -> Vec<Follow> {
        let met = self.awaiting_since.take().map(|_| Follow::Meet(self.reply_kind()));
        self.reply_due_time = None;
        self.auto_reply_time = None;
        self.reply_time = Some(now);
        met.into_iter().collect()
    }

    /// Which answer is owed: the first since it was opened, or a next one.
    #[must_use]
    pub const fn reply_kind(&self) -> ObligationKind {
        if self.reply_time.is_none() {
            ObligationKind::FirstReply
        } else {
            ObligationKind::NextReply
        }
    }

    /// Why it goes back to the queue now, if it does (CH-12).
    #[must_use]
    pub fn release_due(&self, on_duty: bool, present: bool, now: Timestamp) -> Option<Release> {
        let claimed = self.claim_time.filter(|_| self.state() == ConversationState::Claimed)?;
        // A new officer gets the whole time, however long the enterprise waited before.
        let waits = claimed.max(self.awaiting_since?).duration_until(now);
        if !on_duty {
            Some(Release::OffDuty)
        } else if !present && waits >= AWAY_AFTER {
            Some(Release::Away)
        } else if waits >= SILENT_AFTER {
            Some(Release::Silent)
        } else {
            None
        }
    }

    fn back_to_queue(
        mut self,
        action: ConversationAction,
        note: Note,
        cx: &Cx,
    ) -> Result<Moved<Self>> {
        let change = self.advance(action, note, cx)?;
        self.assignee = None;
        self.claim_time = None;
        // The place in the queue is that of who has waited longest.
        self.queue_time = self.awaiting_since.unwrap_or(cx.now);
        Ok(Moved::new(self, change))
    }

    fn advance(&mut self, action: ConversationAction, note: Note, cx: &Cx) -> Result<Change> {
        let (held, change) = self.state().advance(action, note, cx)?;
        self.held = held;
        Ok(change)
    }
}

named! {
/// Why a conversation went back to the queue by itself.
Release {
    /// No answer for a quarter of an hour.
    Silent = "SILENT", "超时未答复";
    /// The post is off duty.
    OffDuty = "OFF_DUTY", "已下班";
    /// The officer said to be away.
    Away = "AWAY", "暂时离岗";
    /// The officer left the post.
    HandedOver = "HANDED_OVER", "岗位交接";
}
}

/// Whether an own message may be taken back now.
pub fn recallable(message: &Message, sender: &str, now: Timestamp) -> Result<()> {
    if message.sender != sender {
        return Err(Error::new(Reason::Denied));
    }
    let late = message.create_time.duration_until(now) > RECALL_WITHIN;
    if late || message.target.is_some() {
        return Err(Error::new(Reason::RecallTooLate));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use uuid::Uuid;

    use super::{Conversation, ConversationState, Held, Release, Sender};
    use crate::{
        domain::{
            common::{follow::Follow, lifecycle::drawing},
            duty::{calendar::Due, obligation::ObligationKind},
            liaison::message::Content,
        },
        id::Id,
    };

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn conversation(state: ConversationState) -> Conversation {
        Conversation {
            id: Id::of(Uuid::from_u128(1)),
            enterprise: Id::of(Uuid::from_u128(2)),
            post: Id::of(Uuid::from_u128(3)),
            unit_path: "a/".to_owned(),
            title: "通行证".to_owned(),
            assignee: None,
            claim_time: (state == ConversationState::Claimed).then_some(NOW),
            queue_time: NOW,
            last_sequence: 0,
            chain: [0; 32],
            awaiting_since: None,
            auto_reply_time: None,
            reply_time: None,
            reply_due_time: None,
            round: 0,
            create_time: NOW,
            update_time: NOW,
            version: 1,
            held: Held::row(state),
        }
    }

    #[test]
    fn the_drawing_of_a_conversation() {
        insta::assert_snapshot!(drawing::<ConversationState>(), @r"
        QUEUED --CLAIM--> CLAIMED
        CLAIMED --TRANSFER--> CLAIMED
        CLAIMED --RETURN--> QUEUED
        CLAIMED --RELEASE--> QUEUED
        CLAIMED --CLOSE--> CLOSED | meet SOLVE_CONVERSATION, ask the enterprise
        CLOSED --REOPEN--> QUEUED
        ");
    }

    // CH-01: the numbers have no gap, and each message hangs on the one before.
    #[test]
    fn messages_are_numbered_without_a_gap_and_linked() {
        let mut conversation = conversation(ConversationState::Queued);
        let content = Content::Text("您好".to_owned());
        let first = conversation.append(Sender::system(), &content, NOW);
        let second = conversation.append(Sender::system(), &content, NOW);
        assert_eq!((first.sequence, second.sequence), (1, 2));
        assert_eq!(second.chain, second.link(&first.chain));
        assert_eq!(conversation.chain, second.chain);
    }

    // CH-15: the clock begins with the first open question, and a second one does not reset it.
    #[test]
    fn a_second_question_does_not_begin_the_clock_again() {
        let mut conversation = conversation(ConversationState::Claimed);
        let due = |at| Due { at, provisional: false };
        let (first, later) =
            (NOW + SignedDuration::from_mins(30), NOW + SignedDuration::from_mins(5));
        let owed = Follow::OweUntil(ObligationKind::FirstReply, due(first));
        let solution = Follow::Owe(ObligationKind::SolveConversation);
        assert_eq!(conversation.ask(due(first), NOW), [owed, solution]);
        assert_eq!(conversation.ask(due(later), later), []);
        assert_eq!(conversation.reply_due_time, Some(first));
        assert_eq!(conversation.answer(later), [Follow::Meet(ObligationKind::FirstReply)]);
        assert_eq!(conversation.answer(later), []);
        let owed = Follow::OweUntil(ObligationKind::NextReply, due(later));
        assert_eq!(conversation.ask(due(later), later), [owed]);
    }

    // CH-12: silent, off duty, away.
    #[test]
    fn a_conversation_goes_back_when_its_officer_does_not_answer() {
        let mut waiting = conversation(ConversationState::Claimed);
        let at = |minutes| NOW + SignedDuration::from_mins(minutes);
        assert_eq!(waiting.release_due(false, false, at(60)), None, "nobody waits");
        let _ = waiting.ask(Due { at: NOW, provisional: false }, NOW);
        for (on_duty, present, now, expected) in [
            (true, true, at(14), None),
            (true, true, at(15), Some(Release::Silent)),
            (true, false, at(1), None),
            (true, false, at(2), Some(Release::Away)),
            (false, true, at(0), Some(Release::OffDuty)),
        ] {
            assert_eq!(waiting.release_due(on_duty, present, now), expected);
        }
        waiting.claim_time = Some(at(14));
        assert_eq!(waiting.release_due(true, true, at(20)), None, "a new officer gets the time");
    }
}
