//! Typed ids and the resource names they print as. Nothing that stores or transports them.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
};

use uuid::Uuid;

use crate::error::Flaw;

/// A kind of resource: the first segment of its names.
pub trait Collection {
    /// The collection as it stands in names: `truckPasses`.
    const NAME: &'static str;
}

macro_rules! collections {
    ($($(#[$doc:meta])* $kind:ident = $name:literal;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub enum $kind {}
            impl Collection for $kind {
                const NAME: &'static str = $name;
            }
        )+
        /// Every collection of the API, in the order of the migrations.
        pub const COLLECTIONS: &[&str] = &[$($name,)+];
    };
}

/// The kinds of resources; an entity of the same noun lives in `domain`.
pub mod kind {
    use super::Collection;

    collections! {
        /// A natural person who signed in with WeChat.
        Person = "persons";
        /// A police unit: a node of the organisation tree.
        Unit = "units";
        /// A police or auxiliary officer.
        Officer = "officers";
        /// A place where trucks are checked (卡口).
        Checkpoint = "checkpoints";
        /// A checking device.
        Device = "devices";
        /// A session of a person, an officer or a device.
        Session = "sessions";
        /// An enterprise.
        Enterprise = "enterprises";
        /// What binds a person to an enterprise.
        Member = "members";
        /// An invitation to become a member.
        Invitation = "invitations";
        /// A grant of an enterprise class.
        ClassGrant = "classGrants";
        /// A vehicle of a garage.
        Vehicle = "vehicles";
        /// A driver whom an enterprise named for a vehicle.
        Driver = "drivers";
        /// A file kept outside the database.
        Attachment = "attachments";
        /// A no-entry zone.
        Zone = "zones";
        /// A dated version of the pass policy.
        Policy = "passPolicies";
        /// A number of places for passes.
        Quota = "quotas";
        /// A special period (特殊时期).
        SpecialPeriod = "specialPeriods";
        /// An application for a truck pass.
        PassApplication = "passApplications";
        /// A fleet application.
        PassApplicationBatch = "passApplicationBatches";
        /// A truck pass.
        TruckPass = "truckPasses";
        /// An entry of the blacklist.
        BlacklistEntry = "blacklistEntries";
        /// A check at a checkpoint.
        PassCheck = "passChecks";
        /// A key that signs passes or tokens.
        SigningKey = "signingKeys";
        /// A liaison post of a police unit (警务专员).
        LiaisonPost = "liaisonPosts";
        /// An enterprise and the post that serves it.
        LiaisonBinding = "liaisonBindings";
        /// A conversation of an enterprise with a post (警务直通车).
        Conversation = "conversations";
        /// A note among the officers of a post.
        ConversationNote = "conversationNotes";
        /// A reply that is written once and used often.
        CannedReply = "cannedReplies";
        /// Something that somebody owes until an instant.
        Obligation = "obligations";
        /// A visit of an officer to an enterprise (走访).
        Visit = "visits";
        /// A problem of an enterprise in the officer's register.
        Problem = "problems";
        /// A time at the service centre (警企服务中心).
        CentreSlot = "centreSlots";
        /// A booked place at the centre.
        CentreBooking = "centreBookings";
        /// A joint meeting of police and enterprises (警企联席会议).
        JointMeeting = "jointMeetings";
        /// A point of a joint meeting, or one that waits for it.
        MeetingPoint = "meetingPoints";
        /// A request or complaint of an enterprise (诉求、投诉).
        Complaint = "complaints";
        /// An extension of the limit of a complaint (延期).
        ComplaintExtension = "complaintExtensions";
        /// An answer that was written to a complaint.
        ComplaintFeedback = "complaintFeedbacks";
        /// A dated version of how complaints of a category are handled.
        ComplaintPolicy = "complaintPolicies";
        /// An answer that is written once and used often, per category.
        AnswerTemplate = "answerTemplates";
        /// What a field of a complaint said before a redaction.
        ComplaintRedaction = "complaintRedactions";
        /// A report on a police unit or officer (12389).
        ConductReport = "conductReports";
        /// What an enterprise says of a finished thing (评价).
        Evaluation = "evaluations";
        /// A step that was taken because something is late.
        Escalation = "escalations";
        /// Content that a supervisor read.
        ContentAccess = "contentAccesses";
        /// What somebody is told.
        Notice = "notices";
        /// Another system that is told of events.
        Webhook = "webhooks";
        /// An event that a webhook is told.
        WebhookDelivery = "webhookDeliveries";
        /// An act that waits for a second person (双人复核).
        Proposal = "proposals";
        /// A recorded step of a lifecycle.
        Change = "changes";
        /// An event in the outbox.
        Event = "events";
    }
}

/// The id of one resource; it knows its collection, and its text is the resource name.
pub struct Id<K> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

impl<K> Id<K> {
    /// Wraps a bare id that is known to be of this kind, as a row of its table is.
    #[must_use]
    pub const fn of(uuid: Uuid) -> Self {
        Self { uuid, kind: PhantomData }
    }

    /// The bare id.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<K: Collection> Id<K> {
    /// Reads a resource name, `collection/uuid`.
    pub fn parse(name: &str) -> Result<Self, Flaw> {
        if name.is_empty() {
            return Err(Flaw::Required);
        }
        let (collection, id) = name.split_once('/').ok_or(Flaw::NameMalformed)?;
        if collection != K::NAME || id.len() != 36 {
            return Err(Flaw::NameMalformed);
        }
        Uuid::try_parse(id).map(Self::of).map_err(|_| Flaw::NameMalformed)
    }

    /// The same id with its kind erased.
    #[must_use]
    pub fn subject(self) -> Subject {
        Subject { collection: K::NAME, uuid: self.uuid }
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<K: Collection> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", K::NAME, self.uuid)
    }
}
impl<K: Collection> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An `Id<K>` with its kind erased: what history, notices and obligations point at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The collection.
    pub collection: &'static str,
    /// The bare id.
    pub uuid: Uuid,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.collection, self.uuid)
    }
}

#[cfg(test)]
mod tests {
    use super::{Id, kind};
    use crate::error::Flaw;

    #[test]
    fn a_name_is_read_back_as_it_was_printed() {
        let id = Id::<kind::TruckPass>::of(uuid::Uuid::from_u128(7));
        assert_eq!(Id::parse(&id.to_string()), Ok(id));
    }

    #[test]
    fn a_name_of_another_collection_is_refused() {
        let vehicle = Id::<kind::Vehicle>::of(uuid::Uuid::from_u128(7)).to_string();
        assert_eq!(Id::<kind::TruckPass>::parse(&vehicle), Err(Flaw::NameMalformed));
        assert_eq!(Id::<kind::TruckPass>::parse(""), Err(Flaw::Required));
        assert_eq!(Id::<kind::TruckPass>::parse("truckPasses/7"), Err(Flaw::NameMalformed));
    }
}
