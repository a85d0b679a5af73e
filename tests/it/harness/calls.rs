//! Which method a request goes to, and what it answers: `user.call(request)`.

use jingqi::surface::service::pb;
use tonic::{Response, Status};

use super::User;

/// A request that says which method it is for.
pub trait Call {
    /// What the method answers.
    type Answer;

    /// Calls the method as this user, over a connection of its own.
    async fn ask(self, user: &User) -> Result<Self::Answer, Status>;
}

/// Requests of one method alone, by the rooms of `User`.
macro_rules! calls {
    ($($room:ident { $($request:ident => $method:ident -> $answer:ident;)+ })+) => {$($(
        impl Call for pb::$request {
            type Answer = pb::$answer;

            async fn ask(self, user: &User) -> Result<Self::Answer, Status> {
                user.$room().$method(self).await.map(Response::into_inner)
            }
        }
    )+)+};
}

/// Requests that several methods take: the method is named, as in `to::AnnulTruckPass(request)`.
macro_rules! named_calls {
    ($($room:ident { $($name:ident($request:ident) => $method:ident -> $answer:ident;)+ })+) => {
        /// The methods that share their request with another, by name.
        pub mod to {
            use jingqi::surface::service::pb;

            $($(pub struct $name(pub pb::$request);)+)+
        }

        $($(
            impl Call for to::$name {
                type Answer = pb::$answer;

                async fn ask(self, user: &User) -> Result<Self::Answer, Status> {
                    user.$room().$method(self.0).await.map(Response::into_inner)
                }
            }
        )+)+
    };
}

named_calls! {
    centre {
        SolveProblem(EndProblemRequest) => solve_problem -> Problem;
        DropProblem(EndProblemRequest) => drop_problem -> Problem;
        GetProblem(GetProblemRequest) => get_problem -> Problem;
        ListProblemChanges(GetProblemRequest) => list_problem_changes -> ListProblemChangesResponse;
        ConfirmCentreBooking(MoveCentreBookingRequest) => confirm_centre_booking -> CentreBooking;
        CancelCentreBooking(MoveCentreBookingRequest) => cancel_centre_booking -> CentreBooking;
        CompleteCentreBooking(MoveCentreBookingRequest) => complete_centre_booking -> CentreBooking;
    }
    complaints {
        GetComplaint(GetComplaintRequest) => get_complaint -> Complaint;
        ListComplaintChanges(GetComplaintRequest) => list_complaint_changes -> ListComplaintChangesResponse;
        ListComplaintTranscript(GetComplaintRequest) => list_complaint_transcript -> ListComplaintTranscriptResponse;
        ListSimilarComplaints(GetComplaintRequest) => list_similar_complaints -> ListComplaintsResponse;
        DeclineComplaint(MoveComplaintRequest) => decline_complaint -> Complaint;
        ObjectToDecline(MoveComplaintRequest) => object_to_decline -> Complaint;
        TransferComplaint(TransferComplaintRequest) => transfer_complaint -> Complaint;
        RecordTransferNumber(TransferComplaintRequest) => record_transfer_number -> Complaint;
        WithdrawComplaint(MoveComplaintRequest) => withdraw_complaint -> Complaint;
        SignComplaint(MoveComplaintRequest) => sign_complaint -> Complaint;
        UrgeComplaint(MoveComplaintRequest) => urge_complaint -> Complaint;
        ConcludeComplaint(MoveComplaintRequest) => conclude_complaint -> Complaint;
        NoteComplaint(MoveComplaintRequest) => note_complaint -> Complaint;
    }
    conduct {
        GetConductReport(GetConductReportRequest) => get_conduct_report -> ConductReport;
        ListConductReportChanges(GetConductReportRequest) => list_conduct_report_changes -> ListConductReportChangesResponse;
        AcceptConductReport(MoveConductReportRequest) => accept_conduct_report -> ConductReport;
        DeclineConductReport(MoveConductReportRequest) => decline_conduct_report -> ConductReport;
        TransferConductReport(MoveConductReportRequest) => transfer_conduct_report -> ConductReport;
        TransferConductReportUpward(MoveConductReportRequest) => transfer_conduct_report_upward -> ConductReport;
        SignConductReport(MoveConductReportRequest) => sign_conduct_report -> ConductReport;
        ReleaseConductReport(MoveConductReportRequest) => release_conduct_report -> ConductReport;
        DeclareConductReportInterest(MoveConductReportRequest) => declare_conduct_report_interest -> DeclaredInterest;
    }
    evaluations {
        GetServiceFigures(GetServiceFiguresRequest) => get_service_figures -> ServiceFigures;
        ExportServiceFigures(GetServiceFiguresRequest) => export_service_figures -> ExportServiceFiguresResponse;
    }
    passes {
        SuspendTruckPass(EndTruckPassRequest) => suspend_truck_pass -> TruckPass;
        ResumeTruckPass(EndTruckPassRequest) => resume_truck_pass -> TruckPass;
        AnnulTruckPass(EndTruckPassRequest) => annul_truck_pass -> TruckPass;
        WithdrawTruckPass(EndTruckPassRequest) => withdraw_truck_pass -> TruckPass;
        PenaliseTruckPass(EndTruckPassRequest) => penalise_truck_pass -> TruckPass;
        CancelTruckPass(EndTruckPassRequest) => cancel_truck_pass -> TruckPass;
    }
}

calls! {
    calendars {
        ImportCalendarYearRequest => import_calendar_year -> ImportCalendarYearResponse;
        ListCalendarYearsRequest => list_calendar_years -> ListCalendarYearsResponse;
        GetCalendarYearRequest => get_calendar_year -> CalendarYear;
        GetSweepStatusRequest => get_sweep_status -> SweepStatus;
    }
    centre {
        RecordVisitRequest => record_visit -> Visit;
        ListVisitsRequest => list_visits -> ListVisitsResponse;
        RegisterProblemRequest => register_problem -> Problem;
        PromiseProblemRequest => promise_problem -> Problem;
        ListProblemsRequest => list_problems -> ListProblemsResponse;
        CreateCentreSlotRequest => create_centre_slot -> CentreSlot;
        ListCentreSlotsRequest => list_centre_slots -> ListCentreSlotsResponse;
        CreateCentreBookingRequest => create_centre_booking -> CentreBooking;
        ListCentreBookingsRequest => list_centre_bookings -> ListCentreBookingsResponse;
        CreateJointMeetingRequest => create_joint_meeting -> JointMeeting;
        GetJointMeetingRequest => get_joint_meeting -> JointMeeting;
        ListJointMeetingsRequest => list_joint_meetings -> ListJointMeetingsResponse;
        CloseJointMeetingRequest => close_joint_meeting -> JointMeeting;
        AddMeetingPointRequest => add_meeting_point -> MeetingPoint;
        DecideMeetingPointRequest => decide_meeting_point -> MeetingPoint;
        SettleMeetingPointRequest => settle_meeting_point -> MeetingPoint;
        DropMeetingPointRequest => drop_meeting_point -> MeetingPoint;
        ListMeetingPointsRequest => list_meeting_points -> ListMeetingPointsResponse;
        ListMeetingPointChangesRequest => list_meeting_point_changes -> ListMeetingPointChangesResponse;
    }
    complaints {
        FileComplaintRequest => file_complaint -> Complaint;
        ListComplaintsRequest => list_complaints -> ListComplaintsResponse;
        ListStuckTransfersRequest => list_stuck_transfers -> ListComplaintsResponse;
        AcceptComplaintRequest => accept_complaint -> Complaint;
        MergeComplaintRequest => merge_complaint -> Complaint;
        AssignComplaintRequest => assign_complaint -> Complaint;
        ReturnComplaintRequest => return_complaint -> Complaint;
        SubmitComplaintFeedbackRequest => submit_complaint_feedback -> Complaint;
        ReviewComplaintFeedbackRequest => review_complaint_feedback -> Complaint;
        RequestComplaintExtensionRequest => request_complaint_extension -> Complaint;
        DecideComplaintExtensionRequest => decide_complaint_extension -> Complaint;
        SuperviseComplaintRequest => supervise_complaint -> Complaint;
        RedactComplaintRequest => redact_complaint -> Complaint;
        ReadRedactedComplaintRequest => read_redacted_complaint -> ReadRedactedComplaintResponse;
        CreateAnswerTemplateRequest => create_answer_template -> AnswerTemplate;
        ListAnswerTemplatesRequest => list_answer_templates -> ListAnswerTemplatesResponse;
        RetireAnswerTemplateRequest => retire_answer_template -> AnswerTemplate;
        ListEscalationsRequest => list_escalations -> ListEscalationsResponse;
        PublishComplaintPolicyRequest => publish_complaint_policy -> ComplaintPolicy;
        ListComplaintPoliciesRequest => list_complaint_policies -> ListComplaintPoliciesResponse;
    }
    conduct {
        FileAnonymousConductReportRequest => file_anonymous_conduct_report -> FiledConductReport;
        ReadConductReportRequest => read_conduct_report -> ConductReportStatus;
        WriteToInspectorateRequest => write_to_inspectorate -> ConductReportStatus;
        RequestConductReportReviewRequest => request_conduct_report_review -> ConductReportStatus;
        CreateEvidenceRequest => create_evidence -> Evidence;
        UploadEvidenceChunkRequest => upload_evidence_chunk -> Evidence;
        CompleteEvidenceRequest => complete_evidence -> Evidence;
        FileConductReportRequest => file_conduct_report -> FiledConductReport;
        ListConductReportsRequest => list_conduct_reports -> ListConductReportsResponse;
        NameAccusedRequest => name_accused -> ConductReport;
        AssignConductReportRequest => assign_conduct_report -> ConductReport;
        RequestConductReportExtensionRequest => request_conduct_report_extension -> ConductReport;
        DecideConductReportExtensionRequest => decide_conduct_report_extension -> ConductReport;
        ConcludeConductReportRequest => conclude_conduct_report -> ConductReport;
        AnswerReporterRequest => answer_reporter -> ConductReport;
        ReadEvidenceChunkRequest => read_evidence_chunk -> ReadEvidenceChunkResponse;
        OpenReporterIdentityRequest => open_reporter_identity -> ReporterIdentity;
        DecideIdentityOpeningRequest => decide_identity_opening -> ConductReport;
        ListIdentityOpeningsRequest => list_identity_openings -> ListIdentityOpeningsResponse;
    }
    conversations {
        CreateConversationRequest => create_conversation -> Conversation;
        GetConversationRequest => get_conversation -> Conversation;
        ListConversationsRequest => list_conversations -> ListConversationsResponse;
        AddConversationMemberRequest => add_conversation_member -> Conversation;
        RemoveConversationMemberRequest => remove_conversation_member -> Conversation;
        ListConversationChangesRequest => list_conversation_changes -> ListConversationChangesResponse;
        SendMessageRequest => send_message -> Message;
        ListMessagesRequest => list_messages -> ListMessagesResponse;
        RecallMessageRequest => recall_message -> Message;
        MarkConversationRequest => mark_conversation -> ConversationMark;
        CheckTextRequest => check_text -> CheckTextResponse;
        ListConversationQueueRequest => list_conversation_queue -> ListConversationsResponse;
        ClaimConversationRequest => claim_conversation -> Conversation;
        TransferConversationRequest => transfer_conversation -> Conversation;
        ReturnConversationRequest => return_conversation -> Conversation;
        CloseConversationRequest => close_conversation -> Conversation;
        RateConversationRequest => rate_conversation -> Conversation;
        CreateRequestFromConversationRequest => create_request_from_conversation -> CreateRequestFromConversationResponse;
        SetPresenceRequest => set_presence -> Presence;
        CreateConversationNoteRequest => create_conversation_note -> ConversationNote;
        ListConversationNotesRequest => list_conversation_notes -> ListConversationNotesResponse;
        CreateCannedReplyRequest => create_canned_reply -> CannedReply;
        ListCannedRepliesRequest => list_canned_replies -> ListCannedRepliesResponse;
        RetireCannedReplyRequest => retire_canned_reply -> CannedReply;
        GetConversationFiguresRequest => get_conversation_figures -> ConversationFigures;
        InspectConversationRequest => inspect_conversation -> ListMessagesResponse;
        SearchMessagesRequest => search_messages -> SearchMessagesResponse;
        CreateContentAccessRequest => create_content_access -> ContentAccess;
        ListContentAccessesRequest => list_content_accesses -> ListContentAccessesResponse;
    }
    enterprises {
        CreateEnterpriseRequest => create_enterprise -> Enterprise;
        UpdateEnterpriseRequest => update_enterprise -> Enterprise;
        WithdrawEnterpriseRequest => withdraw_enterprise -> Enterprise;
        GetEnterpriseRequest => get_enterprise -> Enterprise;
        ListEnterprisesRequest => list_enterprises -> ListEnterprisesResponse;
        ReadEnterpriseClaimRequest => read_enterprise_claim -> EnterpriseClaim;
        PrepareEnterpriseRequest => prepare_enterprise -> Enterprise;
        VerifyEnterpriseRequest => verify_enterprise -> Enterprise;
        RejectEnterpriseRequest => reject_enterprise -> Enterprise;
        AnnulEnterpriseRequest => annul_enterprise -> Enterprise;
        SuspendEnterpriseRequest => suspend_enterprise -> Enterprise;
        ResumeEnterpriseRequest => resume_enterprise -> Enterprise;
        GrantEnterpriseClassRequest => grant_enterprise_class -> EnterpriseClassGrant;
        EndEnterpriseClassGrantRequest => end_enterprise_class_grant -> EnterpriseClassGrant;
        InviteMemberRequest => invite_member -> Invitation;
        AcceptInvitationRequest => accept_invitation -> Member;
        ListMembersRequest => list_members -> ListMembersResponse;
        RemoveMemberRequest => remove_member -> Member;
        CreateVehicleRequest => create_vehicle -> Vehicle;
        GetVehicleRequest => get_vehicle -> Vehicle;
        ListVehiclesRequest => list_vehicles -> ListVehiclesResponse;
        UpdateVehicleRequest => update_vehicle -> Vehicle;
        RetireVehicleRequest => retire_vehicle -> Vehicle;
        ContestVehicleRequest => contest_vehicle -> VehicleContest;
        WithdrawVehicleContestRequest => withdraw_vehicle_contest -> VehicleContest;
        ListVehicleContestsRequest => list_vehicle_contests -> ListVehicleContestsResponse;
        MoveVehicleRequest => move_vehicle -> Vehicle;
        DismissVehicleContestRequest => dismiss_vehicle_contest -> VehicleContest;
        SetVehicleStatesRequest => set_vehicle_states -> Vehicle;
        AddDriverRequest => add_driver -> Driver;
        ClaimVehicleRequest => claim_vehicle -> Driver;
        ListDriversRequest => list_drivers -> ListDriversResponse;
        RemoveDriverRequest => remove_driver -> Driver;
    }
    evaluations {
        ListEvaluationsRequest => list_evaluations -> ListEvaluationsResponse;
        SubmitEvaluationRequest => submit_evaluation -> ServiceEvaluation;
    }
    identity {
        SignInWithWechatRequest => sign_in_with_wechat -> Tokens;
        SignInOfficerRequest => sign_in_officer -> Tokens;
        BeginOfficerEnrolmentRequest => begin_officer_enrolment -> OfficerEnrolment;
        CompleteOfficerEnrolmentRequest => complete_officer_enrolment -> Tokens;
        EnrolDeviceRequest => enrol_device -> EnrolDeviceResponse;
        CreateDeviceChallengeRequest => create_device_challenge -> DeviceChallenge;
        SignInDeviceRequest => sign_in_device -> Tokens;
        RefreshSessionRequest => refresh_session -> Tokens;
        GetTokenKeysRequest => get_token_keys -> TokenKeys;
        GetAccountRequest => get_account -> Account;
        SendPhoneCodeRequest => send_phone_code -> SendPhoneCodeResponse;
        VerifyPhoneRequest => verify_phone -> Account;
        ListSessionsRequest => list_sessions -> ListSessionsResponse;
        RevokeSessionRequest => revoke_session -> Session;
        RevokeOtherSessionsRequest => revoke_other_sessions -> RevokeOtherSessionsResponse;
        ChangePasswordRequest => change_password -> Account;
    }
    liaison {
        CreateLiaisonPostRequest => create_liaison_post -> LiaisonPost;
        UpdateLiaisonPostRequest => update_liaison_post -> LiaisonPost;
        GetLiaisonPostRequest => get_liaison_post -> LiaisonPost;
        ListLiaisonPostsRequest => list_liaison_posts -> ListLiaisonPostsResponse;
        AssignLiaisonOfficerRequest => assign_liaison_officer -> LiaisonPost;
        HandOverLiaisonPostRequest => hand_over_liaison_post -> LiaisonPost;
        ListLiaisonPostChangesRequest => list_liaison_post_changes -> ListLiaisonPostChangesResponse;
        GrantLiaisonBindingRequest => grant_liaison_binding -> LiaisonBinding;
        IssueBindingCodeRequest => issue_binding_code -> BindingCode;
        CreateContactWayRequest => create_contact_way -> ContactWay;
        ReadBindingCodeRequest => read_binding_code -> LiaisonPost;
        ConfirmLiaisonBindingRequest => confirm_liaison_binding -> LiaisonBinding;
        EndLiaisonBindingRequest => end_liaison_binding -> LiaisonBinding;
        ListLiaisonBindingsRequest => list_liaison_bindings -> ListLiaisonBindingsResponse;
    }
    notices {
        ListNoticesRequest => list_notices -> ListNoticesResponse;
        MarkNoticesReadRequest => mark_notices_read -> NoticeCounts;
        GetNoticeCountsRequest => get_notice_counts -> NoticeCounts;
        RecordSubscriptionConsentRequest => record_subscription_consent -> NoticePreferences;
        GetNoticePreferencesRequest => get_notice_preferences -> NoticePreferences;
        UpdateNoticePreferencesRequest => update_notice_preferences -> NoticePreferences;
        ListDeadLettersRequest => list_dead_letters -> ListDeadLettersResponse;
        ResendDeadLetterRequest => resend_dead_letter -> DeadLetter;
        CreateWebhookRequest => create_webhook -> Webhook;
        ListWebhooksRequest => list_webhooks -> ListWebhooksResponse;
        DisableWebhookRequest => disable_webhook -> Webhook;
        ListWebhookDeliveriesRequest => list_webhook_deliveries -> ListWebhookDeliveriesResponse;
    }
    organisation {
        CreateUnitRequest => create_unit -> Unit;
        ListUnitsRequest => list_units -> ListUnitsResponse;
        CreateOfficerRequest => create_officer -> CreateOfficerResponse;
        ListOfficersRequest => list_officers -> ListOfficersResponse;
        UpdateOfficerRequest => update_officer -> Officer;
        ResendOfficerEnrolmentRequest => resend_officer_enrolment -> Officer;
        UnlockOfficerRequest => unlock_officer -> Officer;
        ResetOfficerRequest => reset_officer -> Officer;
        DisableOfficerRequest => disable_officer -> Officer;
        CreateCheckpointRequest => create_checkpoint -> Checkpoint;
        ListCheckpointsRequest => list_checkpoints -> ListCheckpointsResponse;
        CreateDeviceEnrolmentRequest => create_device_enrolment -> DeviceEnrolment;
        ListDevicesRequest => list_devices -> ListDevicesResponse;
        RevokeDeviceRequest => revoke_device -> Device;
        RotateSigningKeyRequest => rotate_signing_key -> SigningKey;
        RevokeSigningKeyRequest => revoke_signing_key -> SigningKey;
        ListSigningKeysRequest => list_signing_keys -> ListSigningKeysResponse;
    }
    applications {
        CreatePassApplicationRequest => create_pass_application -> PassApplication;
        CreatePassApplicationBatchRequest => create_pass_application_batch -> PassApplicationBatch;
        GetPassApplicationRequest => get_pass_application -> PassApplication;
        ListPassApplicationsRequest => list_pass_applications -> ListPassApplicationsResponse;
        UpdatePassApplicationRequest => update_pass_application -> PassApplication;
        SubmitPassApplicationRequest => submit_pass_application -> PassApplication;
        WithdrawPassApplicationRequest => withdraw_pass_application -> PassApplication;
        ListReviewQueueRequest => list_review_queue -> ListReviewQueueResponse;
        ClaimPassApplicationRequest => claim_pass_application -> PassApplication;
        ReassignPassApplicationRequest => reassign_pass_application -> PassApplication;
        AcceptPassApplicationRequest => accept_pass_application -> PassApplication;
        DeclinePassApplicationRequest => decline_pass_application -> PassApplication;
        RequestPassApplicationCorrectionRequest => request_pass_application_correction -> PassApplication;
        ApprovePassApplicationRequest => approve_pass_application -> PassApplication;
        RejectPassApplicationRequest => reject_pass_application -> PassApplication;
        ListPassApplicationChangesRequest => list_pass_application_changes -> ListPassApplicationChangesResponse;
        CreateAttachmentRequest => create_attachment -> Attachment;
        UploadAttachmentChunkRequest => upload_attachment_chunk -> Attachment;
        CompleteAttachmentRequest => complete_attachment -> Attachment;
        ReadAttachmentChunkRequest => read_attachment_chunk -> ReadAttachmentChunkResponse;
    }
    checks {
        CheckPassRequest => check_pass -> PassCheck;
        RecordCheckActionRequest => record_check_action -> PassCheck;
        ListPassChecksRequest => list_pass_checks -> ListPassChecksResponse;
        GetPassKeyListRequest => get_pass_key_list -> PassKeyList;
    }
    proposals {
        ListProposalsRequest => list_proposals -> ListProposalsResponse;
        GetProposalRequest => get_proposal -> Proposal;
        ConfirmProposalRequest => confirm_proposal -> Proposal;
        DeclineProposalRequest => decline_proposal -> Proposal;
        WithdrawProposalRequest => withdraw_proposal -> Proposal;
    }
    passes {
        GetTruckPassRequest => get_truck_pass -> TruckPass;
        ListTruckPassesRequest => list_truck_passes -> ListTruckPassesResponse;
        IssuePassCodeRequest => issue_pass_code -> PassCode;
        ListTruckPassChangesRequest => list_truck_pass_changes -> ListTruckPassChangesResponse;
        AddBlacklistEntryRequest => add_blacklist_entry -> BlacklistEntry;
        LiftBlacklistEntryRequest => lift_blacklist_entry -> BlacklistEntry;
        ListBlacklistEntriesRequest => list_blacklist_entries -> ListBlacklistEntriesResponse;
        ListZonesRequest => list_zones -> ListZonesResponse;
        PublishZoneRequest => publish_zone -> Zone;
        ListPassPoliciesRequest => list_pass_policies -> ListPassPoliciesResponse;
        PublishPassPolicyRequest => publish_pass_policy -> PassPolicy;
        SetQuotaRequest => set_quota -> Quota;
        ListQuotasRequest => list_quotas -> ListQuotasResponse;
        SetSpecialPeriodRequest => set_special_period -> SpecialPeriod;
    }
}
