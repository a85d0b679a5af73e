//! Which roles may call which method. A method that is not here is refused. No scope: what part of
//! the world a caller sees is judged by every read.

use crate::actor::{Actor, Role, Roles};

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, signed in or not.
    Public,
    /// Anybody who is signed in.
    SignedIn,
    /// These roles.
    Roles(Roles),
    /// Anybody, so often an hour, and the gate keeps nothing of the call: no token is read, no
    /// address, no span, no line of the log, no figure.
    Unseen(u32),
    /// These roles, so often an hour, and the gate keeps nothing of the call.
    UnseenRoles(Roles, u32),
}

use Access::{Public, SignedIn, Unseen};
use Role::{
    Assigner, Auditor, Auxiliary, CheckpointOfficer, Device, Driver, EnterpriseHandler,
    FinalReviewer, FirstReviewer, Handler, Inspector, LegalRepresentative, LiaisonOfficer, Person,
    SecurityAdministrator, SystemAdministrator, UnitLeader, WindowClerk,
};

const fn roles(roles: &[Role]) -> Access {
    Access::Roles(Roles::of(roles))
}

const ENTERPRISE: &[Role] = &[LegalRepresentative, EnterpriseHandler];
const REVIEWERS: &[Role] = &[FirstReviewer, FinalReviewer];
const DESK: &[Role] = &[WindowClerk, FirstReviewer, FinalReviewer];
const READERS: &[Role] = &[
    Person,
    WindowClerk,
    FirstReviewer,
    FinalReviewer,
    CheckpointOfficer,
    LiaisonOfficer,
    Inspector,
];
/// Who opens files: readers, and whoever works on a complaint that they came with.
const OPENERS: &[Role] = INBOX;
const FILERS: &[Role] = &[LegalRepresentative, EnterpriseHandler, WindowClerk];
const TALKERS: &[Role] = &[LegalRepresentative, EnterpriseHandler, LiaisonOfficer];
const SUPERVISORS: &[Role] = &[UnitLeader, Inspector];
const CARERS: &[Role] = &[LiaisonOfficer, UnitLeader];
const CARED: &[Role] =
    &[LegalRepresentative, EnterpriseHandler, LiaisonOfficer, UnitLeader, Inspector];
/// A person brings the licence of a claim; whose the file is asks the service again.
const BRINGERS: &[Role] =
    &[Person, LegalRepresentative, EnterpriseHandler, WindowClerk, LiaisonOfficer];
const INTAKE: &[Role] = &[LegalRepresentative, EnterpriseHandler, WindowClerk, Assigner];
const COMPLAINT_READERS: &[Role] = &[
    LegalRepresentative,
    EnterpriseHandler,
    WindowClerk,
    Assigner,
    Handler,
    UnitLeader,
    Inspector,
];
/// Who may be named by the rules of a category; the service asks again.
const DECIDERS: &[Role] = &[Assigner, UnitLeader];
const MEETING_READERS: &[Role] = &[
    LegalRepresentative,
    EnterpriseHandler,
    LiaisonOfficer,
    Assigner,
    Handler,
    UnitLeader,
    Inspector,
];
const COMPLAINT_POLICE: &[Role] = &[Assigner, Handler, UnitLeader, Inspector];
/// Whoever has an inbox: every person, and every officer who does business.
const INBOX: &[Role] = &[
    Person,
    WindowClerk,
    FirstReviewer,
    FinalReviewer,
    CheckpointOfficer,
    LiaisonOfficer,
    Assigner,
    Handler,
    UnitLeader,
    Inspector,
];
/// Who reads with a reason what is not the own duty: whoever does business of the police.
const READERS_WITH_REASON: &[Role] = &[
    WindowClerk,
    FirstReviewer,
    FinalReviewer,
    CheckpointOfficer,
    LiaisonOfficer,
    Assigner,
    Handler,
    UnitLeader,
    Inspector,
];
/// Whoever proposes or confirms what takes two.
const TWO: &[Role] = &[SystemAdministrator, SecurityAdministrator, FinalReviewer, UnitLeader];
/// The same, and the auditor, who confirms what administrators give.
const SECOND: &[Role] =
    &[SystemAdministrator, SecurityAdministrator, Auditor, FinalReviewer, UnitLeader];
/// Whoever is told something: administrators, of what waits for them and of their own account.
const TOLD: &[Role] = &[
    Person,
    WindowClerk,
    FirstReviewer,
    FinalReviewer,
    CheckpointOfficer,
    LiaisonOfficer,
    Assigner,
    Handler,
    UnitLeader,
    Inspector,
    SystemAdministrator,
    SecurityAdministrator,
    Auditor,
];
const CLOCK_READERS: &[Role] = &[SystemAdministrator, Auditor, Inspector, UnitLeader];
const ROADSIDE: &[Role] = &[Device, CheckpointOfficer, Auxiliary];

/// Every method and who may call it.
pub const POLICY: &[(&str, Access)] = &[
    // Identity: the way in is open to everybody, and limited by rate.
    ("IdentityService/SignInWithWechat", Public),
    ("IdentityService/SignInOfficer", Public),
    ("IdentityService/BeginOfficerEnrolment", Public),
    ("IdentityService/CompleteOfficerEnrolment", Public),
    ("IdentityService/EnrolDevice", Public),
    ("IdentityService/CreateDeviceChallenge", Public),
    ("IdentityService/SignInDevice", Public),
    ("IdentityService/RefreshSession", Public),
    ("IdentityService/GetTokenKeys", Public),
    ("IdentityService/GetAccount", SignedIn),
    ("IdentityService/SendPhoneCode", roles(&[Person])),
    ("IdentityService/VerifyPhone", roles(&[Person])),
    ("IdentityService/ListSessions", SignedIn),
    ("IdentityService/RevokeSession", SignedIn),
    ("IdentityService/RevokeOtherSessions", SignedIn),
    (
        "IdentityService/ChangePassword",
        roles(&[
            WindowClerk,
            FirstReviewer,
            FinalReviewer,
            CheckpointOfficer,
            Auxiliary,
            LiaisonOfficer,
            Assigner,
            Handler,
            UnitLeader,
            Inspector,
            SystemAdministrator,
            SecurityAdministrator,
            Auditor,
        ]),
    ),
    // Organisation: three administrators, none does the work of another.
    ("OrganisationService/CreateUnit", roles(&[SystemAdministrator])),
    ("OrganisationService/ListUnits", SignedIn),
    ("OrganisationService/CreateOfficer", roles(&[SystemAdministrator])),
    (
        "OrganisationService/ListOfficers",
        roles(&[FirstReviewer, FinalReviewer, SystemAdministrator, SecurityAdministrator, Auditor]),
    ),
    ("OrganisationService/UpdateOfficer", roles(&[SystemAdministrator])),
    ("OrganisationService/ResendOfficerEnrolment", roles(&[SystemAdministrator])),
    ("OrganisationService/UnlockOfficer", roles(&[SecurityAdministrator])),
    ("OrganisationService/ResetOfficer", roles(&[SystemAdministrator, SecurityAdministrator])),
    ("OrganisationService/DisableOfficer", roles(&[SystemAdministrator, SecurityAdministrator])),
    ("OrganisationService/CreateCheckpoint", roles(&[SystemAdministrator])),
    ("OrganisationService/ListCheckpoints", SignedIn),
    ("OrganisationService/CreateDeviceEnrolment", roles(&[SystemAdministrator])),
    (
        "OrganisationService/ListDevices",
        roles(&[SystemAdministrator, SecurityAdministrator, Auditor]),
    ),
    ("OrganisationService/RevokeDevice", roles(&[SystemAdministrator, SecurityAdministrator])),
    ("OrganisationService/RotateSigningKey", roles(&[SecurityAdministrator])),
    ("OrganisationService/RevokeSigningKey", roles(&[SecurityAdministrator])),
    ("OrganisationService/ListSigningKeys", roles(&[SecurityAdministrator, Auditor])),
    // Enterprises.
    ("EnterpriseService/CreateEnterprise", roles(&[Person])),
    ("EnterpriseService/GetEnterprise", roles(READERS)),
    ("EnterpriseService/ListEnterprises", roles(READERS)),
    // A claim: the desk prepares, a reviewer decides.
    ("EnterpriseService/UpdateEnterprise", roles(&[Person])),
    ("EnterpriseService/WithdrawEnterprise", roles(&[Person])),
    ("EnterpriseService/ReadEnterpriseClaim", roles(DESK)),
    ("EnterpriseService/PrepareEnterprise", roles(DESK)),
    ("EnterpriseService/VerifyEnterprise", roles(REVIEWERS)),
    ("EnterpriseService/RejectEnterprise", roles(REVIEWERS)),
    ("EnterpriseService/AnnulEnterprise", roles(&[FinalReviewer])),
    ("EnterpriseService/SuspendEnterprise", roles(REVIEWERS)),
    ("EnterpriseService/ResumeEnterprise", roles(REVIEWERS)),
    ("EnterpriseService/GrantEnterpriseClass", roles(REVIEWERS)),
    ("EnterpriseService/EndEnterpriseClassGrant", roles(REVIEWERS)),
    ("EnterpriseService/InviteMember", roles(&[LegalRepresentative])),
    ("EnterpriseService/AcceptInvitation", roles(&[Person])),
    ("EnterpriseService/ListMembers", roles(READERS)),
    ("EnterpriseService/RemoveMember", roles(&[LegalRepresentative])),
    ("EnterpriseService/CreateVehicle", roles(FILERS)),
    ("EnterpriseService/GetVehicle", roles(READERS)),
    ("EnterpriseService/ListVehicles", roles(READERS)),
    ("EnterpriseService/UpdateVehicle", roles(FILERS)),
    (
        "EnterpriseService/RetireVehicle",
        roles(&[LegalRepresentative, EnterpriseHandler, FirstReviewer, FinalReviewer]),
    ),
    ("EnterpriseService/ContestVehicle", roles(FILERS)),
    ("EnterpriseService/WithdrawVehicleContest", roles(FILERS)),
    (
        "EnterpriseService/ListVehicleContests",
        roles(&[LegalRepresentative, EnterpriseHandler, WindowClerk, FirstReviewer, FinalReviewer]),
    ),
    ("EnterpriseService/MoveVehicle", roles(REVIEWERS)),
    ("EnterpriseService/DismissVehicleContest", roles(REVIEWERS)),
    ("EnterpriseService/SetVehicleStates", roles(REVIEWERS)),
    ("EnterpriseService/AddDriver", roles(ENTERPRISE)),
    ("EnterpriseService/ClaimVehicle", roles(&[Person])),
    ("EnterpriseService/ListDrivers", roles(READERS)),
    ("EnterpriseService/RemoveDriver", roles(ENTERPRISE)),
    // Applications: who files does not review.
    ("PassApplicationService/CreatePassApplication", roles(FILERS)),
    ("PassApplicationService/CreatePassApplicationBatch", roles(ENTERPRISE)),
    ("PassApplicationService/GetPassApplication", roles(READERS)),
    ("PassApplicationService/ListPassApplications", roles(READERS)),
    ("PassApplicationService/UpdatePassApplication", roles(FILERS)),
    ("PassApplicationService/SubmitPassApplication", roles(FILERS)),
    ("PassApplicationService/WithdrawPassApplication", roles(FILERS)),
    ("PassApplicationService/ListReviewQueue", roles(DESK)),
    ("PassApplicationService/ClaimPassApplication", roles(REVIEWERS)),
    ("PassApplicationService/ReassignPassApplication", roles(DESK)),
    ("PassApplicationService/AcceptPassApplication", roles(DESK)),
    ("PassApplicationService/DeclinePassApplication", roles(REVIEWERS)),
    ("PassApplicationService/RequestPassApplicationCorrection", roles(DESK)),
    ("PassApplicationService/ApprovePassApplication", roles(REVIEWERS)),
    ("PassApplicationService/RejectPassApplication", roles(REVIEWERS)),
    ("PassApplicationService/ListPassApplicationChanges", roles(READERS)),
    ("PassApplicationService/CreateAttachment", roles(BRINGERS)),
    ("PassApplicationService/UploadAttachmentChunk", roles(BRINGERS)),
    ("PassApplicationService/CompleteAttachment", roles(BRINGERS)),
    ("PassApplicationService/ReadAttachmentChunk", roles(OPENERS)),
    // Passes: decisions need a sworn officer; the domain asks again.
    ("TruckPassService/GetTruckPass", roles(READERS)),
    ("TruckPassService/ListTruckPasses", roles(READERS)),
    ("TruckPassService/IssuePassCode", roles(&[LegalRepresentative, EnterpriseHandler, Driver])),
    ("TruckPassService/SuspendTruckPass", roles(REVIEWERS)),
    ("TruckPassService/ResumeTruckPass", roles(REVIEWERS)),
    ("TruckPassService/AnnulTruckPass", roles(&[FinalReviewer])),
    ("TruckPassService/WithdrawTruckPass", roles(&[FinalReviewer])),
    ("TruckPassService/PenaliseTruckPass", roles(&[FinalReviewer])),
    (
        "TruckPassService/CancelTruckPass",
        roles(&[LegalRepresentative, EnterpriseHandler, FirstReviewer, FinalReviewer]),
    ),
    ("TruckPassService/ListTruckPassChanges", roles(READERS)),
    ("TruckPassService/AddBlacklistEntry", roles(REVIEWERS)),
    ("TruckPassService/LiftBlacklistEntry", roles(REVIEWERS)),
    ("TruckPassService/ListBlacklistEntries", roles(DESK)),
    ("TruckPassService/ListZones", Public),
    ("TruckPassService/PublishZone", roles(&[FinalReviewer])),
    ("TruckPassService/ListPassPolicies", Public),
    ("TruckPassService/PublishPassPolicy", roles(&[FinalReviewer])),
    ("TruckPassService/SetQuota", roles(&[FinalReviewer])),
    ("TruckPassService/ListQuotas", roles(DESK)),
    ("TruckPassService/SetSpecialPeriod", roles(&[FinalReviewer])),
    // Checks: an auxiliary may scan and record, never decide.
    ("PassCheckService/CheckPass", roles(ROADSIDE)),
    ("PassCheckService/RecordCheckAction", roles(&[Device, CheckpointOfficer, Auxiliary])),
    (
        "PassCheckService/ListPassChecks",
        roles(&[CheckpointOfficer, FirstReviewer, FinalReviewer, Inspector]),
    ),
    ("PassCheckService/GetPassKeyList", roles(ROADSIDE)),
    // Liaison posts: the unit decides who serves whom; officer and enterprise confirm by code.
    ("LiaisonService/CreateLiaisonPost", roles(&[UnitLeader])),
    ("LiaisonService/UpdateLiaisonPost", roles(&[UnitLeader])),
    (
        "LiaisonService/GetLiaisonPost",
        roles(&[LegalRepresentative, EnterpriseHandler, LiaisonOfficer, UnitLeader, Inspector]),
    ),
    (
        "LiaisonService/ListLiaisonPosts",
        roles(&[LegalRepresentative, EnterpriseHandler, LiaisonOfficer, UnitLeader, Inspector]),
    ),
    ("LiaisonService/AssignLiaisonOfficer", roles(&[UnitLeader])),
    ("LiaisonService/HandOverLiaisonPost", roles(&[UnitLeader])),
    ("LiaisonService/ListLiaisonPostChanges", roles(&[LiaisonOfficer, UnitLeader, Inspector])),
    ("LiaisonService/GrantLiaisonBinding", roles(&[UnitLeader])),
    ("LiaisonService/IssueBindingCode", roles(&[LiaisonOfficer])),
    ("LiaisonService/CreateContactWay", roles(&[UnitLeader])),
    ("LiaisonService/ReadBindingCode", roles(ENTERPRISE)),
    ("LiaisonService/ConfirmLiaisonBinding", roles(ENTERPRISE)),
    ("LiaisonService/EndLiaisonBinding", roles(&[LegalRepresentative, UnitLeader])),
    (
        "LiaisonService/ListLiaisonBindings",
        roles(&[LegalRepresentative, EnterpriseHandler, LiaisonOfficer, UnitLeader, Inspector]),
    ),
    // Around the line: officers record, promise and confirm; enterprises read and book.
    ("CentreService/RecordVisit", roles(CARERS)),
    ("CentreService/ListVisits", roles(CARED)),
    ("CentreService/RegisterProblem", roles(CARERS)),
    ("CentreService/PromiseProblem", roles(CARERS)),
    ("CentreService/SolveProblem", roles(CARERS)),
    ("CentreService/DropProblem", roles(CARERS)),
    ("CentreService/GetProblem", roles(CARED)),
    ("CentreService/ListProblems", roles(CARED)),
    ("CentreService/ListProblemChanges", roles(CARED)),
    ("CentreService/CreateCentreSlot", roles(CARERS)),
    ("CentreService/ListCentreSlots", roles(CARED)),
    ("CentreService/CreateCentreBooking", roles(ENTERPRISE)),
    ("CentreService/ConfirmCentreBooking", roles(CARERS)),
    (
        "CentreService/CancelCentreBooking",
        roles(&[LegalRepresentative, EnterpriseHandler, LiaisonOfficer, UnitLeader]),
    ),
    ("CentreService/CompleteCentreBooking", roles(CARERS)),
    ("CentreService/ListCentreBookings", roles(CARED)),
    // Joint meetings: a leader calls, decides and drops, the unit that owes settles.
    ("CentreService/CreateJointMeeting", roles(&[UnitLeader])),
    ("CentreService/GetJointMeeting", roles(MEETING_READERS)),
    ("CentreService/ListJointMeetings", roles(MEETING_READERS)),
    ("CentreService/CloseJointMeeting", roles(&[UnitLeader])),
    ("CentreService/AddMeetingPoint", roles(&[LiaisonOfficer, Assigner, UnitLeader])),
    ("CentreService/DecideMeetingPoint", roles(&[UnitLeader])),
    ("CentreService/SettleMeetingPoint", roles(&[LiaisonOfficer, Handler, UnitLeader])),
    ("CentreService/DropMeetingPoint", roles(&[UnitLeader])),
    ("CentreService/ListMeetingPoints", roles(MEETING_READERS)),
    ("CentreService/ListMeetingPointChanges", roles(MEETING_READERS)),
    // Conversations: those who take part; supervisors see figures, and content with a reason.
    ("ConversationService/CreateConversation", roles(ENTERPRISE)),
    ("ConversationService/GetConversation", roles(TALKERS)),
    ("ConversationService/ListConversations", roles(TALKERS)),
    ("ConversationService/AddConversationMember", roles(ENTERPRISE)),
    ("ConversationService/RemoveConversationMember", roles(ENTERPRISE)),
    ("ConversationService/ListConversationChanges", roles(TALKERS)),
    ("ConversationService/SendMessage", roles(TALKERS)),
    ("ConversationService/ListMessages", roles(TALKERS)),
    ("ConversationService/WatchMessages", roles(TALKERS)),
    ("ConversationService/RecallMessage", roles(TALKERS)),
    ("ConversationService/MarkConversation", roles(TALKERS)),
    ("ConversationService/CheckText", roles(&[LiaisonOfficer])),
    ("ConversationService/ListConversationQueue", roles(&[LiaisonOfficer])),
    ("ConversationService/ClaimConversation", roles(&[LiaisonOfficer])),
    ("ConversationService/TransferConversation", roles(&[LiaisonOfficer])),
    ("ConversationService/ReturnConversation", roles(&[LiaisonOfficer])),
    ("ConversationService/CloseConversation", roles(&[LiaisonOfficer])),
    ("ConversationService/RateConversation", roles(ENTERPRISE)),
    ("ConversationService/CreateRequestFromConversation", roles(TALKERS)),
    ("ConversationService/SetPresence", roles(&[LiaisonOfficer])),
    ("ConversationService/CreateConversationNote", roles(&[LiaisonOfficer])),
    ("ConversationService/ListConversationNotes", roles(&[LiaisonOfficer])),
    ("ConversationService/CreateCannedReply", roles(&[LiaisonOfficer])),
    ("ConversationService/ListCannedReplies", roles(&[LiaisonOfficer])),
    ("ConversationService/RetireCannedReply", roles(&[LiaisonOfficer])),
    ("ConversationService/GetConversationFigures", roles(SUPERVISORS)),
    ("ConversationService/InspectConversation", roles(SUPERVISORS)),
    ("ConversationService/SearchMessages", roles(SUPERVISORS)),
    ("ConversationService/ExportConversation", roles(SUPERVISORS)),
    ("ConversationService/CreateContentAccess", roles(READERS_WITH_REASON)),
    ("ConversationService/ListContentAccesses", roles(&[Inspector, Auditor])),
    // Complaints: who handles neither takes in, nor judges, nor closes.
    ("ComplaintService/FileComplaint", roles(INTAKE)),
    ("ComplaintService/GetComplaint", roles(COMPLAINT_READERS)),
    ("ComplaintService/ListComplaints", roles(COMPLAINT_READERS)),
    ("ComplaintService/ListComplaintChanges", roles(COMPLAINT_READERS)),
    ("ComplaintService/ListComplaintTranscript", roles(COMPLAINT_READERS)),
    ("ComplaintService/ListSimilarComplaints", roles(DECIDERS)),
    ("ComplaintService/ListStuckTransfers", roles(&[Assigner, UnitLeader])),
    ("ComplaintService/AcceptComplaint", roles(DECIDERS)),
    ("ComplaintService/DeclineComplaint", roles(DECIDERS)),
    ("ComplaintService/ObjectToDecline", roles(ENTERPRISE)),
    ("ComplaintService/TransferComplaint", roles(DECIDERS)),
    ("ComplaintService/RecordTransferNumber", roles(DECIDERS)),
    ("ComplaintService/MergeComplaint", roles(DECIDERS)),
    ("ComplaintService/WithdrawComplaint", roles(ENTERPRISE)),
    ("ComplaintService/AssignComplaint", roles(DECIDERS)),
    ("ComplaintService/SignComplaint", roles(&[Handler])),
    ("ComplaintService/ReturnComplaint", roles(&[Handler])),
    ("ComplaintService/SubmitComplaintFeedback", roles(&[Handler])),
    ("ComplaintService/ReviewComplaintFeedback", roles(DECIDERS)),
    ("ComplaintService/RequestComplaintExtension", roles(&[Handler])),
    ("ComplaintService/DecideComplaintExtension", roles(DECIDERS)),
    (
        "ComplaintService/UrgeComplaint",
        roles(&[LegalRepresentative, EnterpriseHandler, Assigner, UnitLeader, Inspector]),
    ),
    ("ComplaintService/SuperviseComplaint", roles(SUPERVISORS)),
    ("ComplaintService/ConcludeComplaint", roles(SUPERVISORS)),
    ("ComplaintService/NoteComplaint", roles(COMPLAINT_POLICE)),
    ("ComplaintService/RedactComplaint", roles(&[Assigner, Inspector])),
    ("ComplaintService/ReadRedactedComplaint", roles(&[Inspector])),
    ("ComplaintService/CreateAnswerTemplate", roles(&[Assigner])),
    ("ComplaintService/ListAnswerTemplates", roles(&[Assigner, Handler])),
    ("ComplaintService/RetireAnswerTemplate", roles(&[Assigner])),
    ("ComplaintService/ListEscalations", roles(COMPLAINT_POLICE)),
    ("ComplaintService/PublishComplaintPolicy", roles(&[UnitLeader])),
    ("ComplaintService/ListComplaintPolicies", SignedIn),
    // Notices: who does business has an inbox; what was not delivered, and which other systems are
    // told, is the system's administration.
    ("NoticeService/ListNotices", roles(TOLD)),
    ("NoticeService/MarkNoticesRead", roles(TOLD)),
    ("NoticeService/GetNoticeCounts", roles(TOLD)),
    ("NoticeService/RecordSubscriptionConsent", roles(&[Person])),
    ("NoticeService/GetNoticePreferences", roles(TOLD)),
    ("NoticeService/UpdateNoticePreferences", roles(TOLD)),
    ("NoticeService/ListDeadLetters", roles(&[SystemAdministrator])),
    ("NoticeService/ResendDeadLetter", roles(&[SystemAdministrator])),
    ("NoticeService/CreateWebhook", roles(&[SystemAdministrator])),
    ("NoticeService/ListWebhooks", roles(&[SystemAdministrator])),
    ("NoticeService/DisableWebhook", roles(&[SystemAdministrator])),
    ("NoticeService/ListWebhookDeliveries", roles(&[SystemAdministrator])),
    // Four eyes: who proposes never confirms; the domain asks for the role of each act.
    ("ProposalService/ListProposals", roles(SECOND)),
    ("ProposalService/GetProposal", roles(SECOND)),
    ("ProposalService/ConfirmProposal", roles(SECOND)),
    ("ProposalService/DeclineProposal", roles(SECOND)),
    ("ProposalService/WithdrawProposal", roles(TWO)),
    // The working-day calendar: entered once, read by everybody.
    ("CalendarService/ImportCalendarYear", roles(&[SystemAdministrator])),
    ("CalendarService/ListCalendarYears", roles(CLOCK_READERS)),
    ("CalendarService/GetCalendarYear", SignedIn),
    ("CalendarService/GetSweepStatus", roles(CLOCK_READERS)),
    // Conduct reports: a reporter leaves no trace; the inspectorate alone reads what is reported.
    ("ConductReportService/FileAnonymousConductReport", Unseen(30)),
    ("ConductReportService/ReadConductReport", Unseen(240)),
    ("ConductReportService/WriteToInspectorate", Unseen(60)),
    ("ConductReportService/RequestConductReportReview", Unseen(30)),
    ("ConductReportService/CreateEvidence", Unseen(60)),
    // Ten pieces of ten mebibytes in parts of 32 KiB.
    ("ConductReportService/UploadEvidenceChunk", Unseen(4_000)),
    ("ConductReportService/CompleteEvidence", Unseen(60)),
    ("ConductReportService/FileConductReport", Access::UnseenRoles(Roles::of(&[Person]), 10)),
    ("ConductReportService/GetConductReport", roles(&[Inspector])),
    ("ConductReportService/ListConductReports", roles(&[Inspector])),
    ("ConductReportService/ListConductReportChanges", roles(&[Inspector])),
    ("ConductReportService/NameAccused", roles(&[Inspector])),
    ("ConductReportService/AcceptConductReport", roles(&[Inspector])),
    ("ConductReportService/DeclineConductReport", roles(&[Inspector])),
    ("ConductReportService/TransferConductReport", roles(&[Inspector])),
    ("ConductReportService/TransferConductReportUpward", roles(&[Inspector])),
    ("ConductReportService/AssignConductReport", roles(&[Inspector])),
    ("ConductReportService/SignConductReport", roles(&[Inspector])),
    ("ConductReportService/ReleaseConductReport", roles(&[Inspector])),
    ("ConductReportService/DeclareConductReportInterest", roles(&[Inspector])),
    ("ConductReportService/RequestConductReportExtension", roles(&[Inspector])),
    ("ConductReportService/DecideConductReportExtension", roles(&[Inspector])),
    ("ConductReportService/ConcludeConductReport", roles(&[Inspector])),
    ("ConductReportService/AnswerReporter", roles(&[Inspector])),
    ("ConductReportService/ReadEvidenceChunk", roles(&[Inspector])),
    ("ConductReportService/OpenReporterIdentity", roles(&[Inspector])),
    ("ConductReportService/DecideIdentityOpening", roles(&[Inspector])),
    ("ConductReportService/ListIdentityOpenings", roles(&[Auditor])),
    // Evaluations: the enterprise alone says how it was.
    ("EvaluationService/ListEvaluations", roles(ENTERPRISE)),
    ("EvaluationService/SubmitEvaluation", roles(ENTERPRISE)),
    ("EvaluationService/GetServiceFigures", roles(&[Assigner, UnitLeader, Inspector])),
    ("EvaluationService/ExportServiceFigures", roles(&[Assigner, UnitLeader, Inspector])),
];

/// Who may call the method, `Service/Method`; `None` refuses.
#[must_use]
pub fn access(method: &str) -> Option<(&'static str, Access)> {
    POLICY.iter().find(|(name, _)| *name == method).copied()
}

impl Access {
    /// How often an hour, where the gate keeps nothing of the call; `None` elsewhere.
    #[must_use]
    pub const fn unseen(self) -> Option<u32> {
        match self {
            Unseen(an_hour) | Access::UnseenRoles(_, an_hour) => Some(an_hour),
            Public | SignedIn | Access::Roles(_) => None,
        }
    }
}

/// Whether the actor's roles permit the call.
#[must_use]
pub fn permits(access: Access, actor: &Actor) -> bool {
    match access {
        Public | Unseen(_) => true,
        SignedIn => *actor != Actor::Anonymous,
        Access::Roles(roles) | Access::UnseenRoles(roles, _) => actor.roles().meets(roles),
    }
}
