-- Measure 6: the policy as dated rows, zones, quotas, applications, passes, the blacklist.

create table pass_policy (
    id uuid not null,
    version text not null,
    source text not null,
    effective_from timestamptz not null,
    values_json jsonb not null,
    create_time timestamptz not null,
    constraint pass_policy_pkey primary key (id),
    constraint pass_policy_version_once unique (version),
    constraint pass_policy_one_at_a_time unique (effective_from)
);

-- A row per version of a zone; the newest one that is effective counts.
create table zone_version (
    zone_id uuid not null,
    version integer not null,
    code integer not null,
    display_name text not null,
    source text not null,
    effective_from timestamptz not null,
    rules_json jsonb not null,
    create_time timestamptz not null,
    constraint zone_version_pkey primary key (zone_id, version),
    constraint zone_version_code_once unique (code, version),
    constraint zone_version_code_short check (code between 1 and 65535)
);

create table quota (
    id uuid not null,
    zone_id uuid not null,
    pass_kind text not null,
    period_start timestamptz not null,
    period_end timestamptz not null,
    places integer not null,
    used integer not null,
    constraint quota_pkey primary key (id),
    constraint quota_never_oversold check (used >= 0 and used <= places),
    constraint quota_span check (period_end > period_start),
    constraint quota_no_overlap exclude using gist
        (zone_id with =, pass_kind with =, tstzrange(period_start, period_end) with &&)
);

create table special_period (
    id uuid not null,
    source text not null,
    valid_from timestamptz not null,
    valid_until timestamptz not null,
    constraint special_period_pkey primary key (id),
    constraint special_period_span check (valid_until > valid_from)
);

create table attachment (
    id uuid not null,
    enterprise_id uuid not null,
    kind text not null,
    content_type text not null,
    file_name text not null,
    size_bytes bigint not null,
    sha256 bytea not null,
    valid_until date,
    received_bytes bigint not null,
    complete_time timestamptz,
    create_time timestamptz not null,
    constraint attachment_pkey primary key (id),
    constraint attachment_tenant unique (enterprise_id, id),
    constraint attachment_fills check (received_bytes between 0 and size_bytes),
    constraint attachment_enterprise_fkey foreign key (enterprise_id) references enterprise (id)
);

create table pass_application_batch (
    id uuid not null,
    enterprise_id uuid not null,
    create_time timestamptz not null,
    constraint pass_application_batch_pkey primary key (id),
    constraint pass_application_batch_enterprise_fkey foreign key (enterprise_id) references enterprise (id)
);

create table pass_application (
    id uuid not null,
    number text not null,
    enterprise_id uuid not null,
    unit_path text not null,
    vehicle_id uuid not null,
    purpose text not null,
    previous_pass_id uuid,
    batch_id uuid,
    source_channel text not null,
    -- Who filed it: a person, or an officer on behalf; may take no step of the review.
    applicant text not null,
    filed_on_behalf boolean not null,
    -- What is asked for.
    need jsonb not null,
    declaration_accepted boolean not null,
    state text not null,
    assignee_id uuid,
    -- The first reviewer: the final one must differ (four eyes).
    first_reviewer_id uuid,
    corrections jsonb not null,
    -- What the rules said at the decision, with inputs and version.
    evaluation jsonb,
    decision jsonb,
    create_time timestamptz not null,
    update_time timestamptz not null,
    submit_time timestamptz,
    accept_time timestamptz,
    -- While a correction is awaited; pauses of the past stand in `pauses`.
    pause_time timestamptz,
    pauses jsonb not null,
    decide_time timestamptz,
    version bigint not null,
    constraint pass_application_pkey primary key (id),
    constraint pass_application_number_once unique (number),
    constraint pass_application_state_known check (state in (
        'DRAFT', 'SUBMITTED', 'NEEDS_CORRECTION', 'NOT_ACCEPTED', 'ACCEPTED', 'FIRST_REVIEW',
        'FINAL_REVIEW', 'APPROVED', 'REJECTED', 'LAPSED', 'WITHDRAWN')),
    constraint pass_application_purpose_known check (purpose in ('NEW', 'RENEWAL', 'AMENDMENT')),
    constraint pass_application_four_eyes check (assignee_id is null or state <> 'FINAL_REVIEW' or assignee_id <> first_reviewer_id),
    constraint pass_application_vehicle_fkey foreign key (enterprise_id, vehicle_id) references vehicle (enterprise_id, id),
    constraint pass_application_batch_fkey foreign key (batch_id) references pass_application_batch (id),
    constraint pass_application_assignee_fkey foreign key (assignee_id) references officer (id),
    constraint pass_application_first_reviewer_fkey foreign key (first_reviewer_id) references officer (id)
);
create index pass_application_enterprise on pass_application (enterprise_id, id);
create index pass_application_vehicle on pass_application (vehicle_id, id);
create index pass_application_queue on pass_application (submit_time, id)
    where state in ('SUBMITTED', 'ACCEPTED', 'FIRST_REVIEW', 'FINAL_REVIEW');
create index pass_application_waiting on pass_application (pause_time) where state = 'NEEDS_CORRECTION';
-- A person who files the same thing twice meets the first one (I12).
create unique index pass_application_once_open on pass_application (vehicle_id, purpose, md5(need::text))
    where state in ('SUBMITTED', 'NEEDS_CORRECTION', 'ACCEPTED', 'FIRST_REVIEW', 'FINAL_REVIEW');

create table pass_application_attachment (
    pass_application_id uuid not null,
    enterprise_id uuid not null,
    attachment_id uuid not null,
    constraint pass_application_attachment_pkey primary key (pass_application_id, attachment_id),
    constraint pass_application_attachment_application_fkey foreign key (pass_application_id) references pass_application (id),
    constraint pass_application_attachment_attachment_fkey foreign key (enterprise_id, attachment_id) references attachment (enterprise_id, id)
);

create table truck_pass (
    id uuid not null,
    number text not null,
    enterprise_id uuid not null,
    unit_path text not null,
    vehicle_id uuid not null,
    plate_number text not null,
    plate_type text not null,
    pass_application_id uuid not null,
    previous_pass_id uuid,
    revision integer not null,
    pass_kind text not null,
    zone_ids uuid[] not null,
    time_windows jsonb not null,
    route text[] not null,
    goods text not null,
    trailer_plate_number text not null,
    valid_from timestamptz not null,
    valid_until timestamptz not null,
    state text not null,
    reason_code text,
    reason_note text not null,
    source_channel text not null,
    -- The classes, rules and inputs that granted it (R15).
    evaluation jsonb not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    version bigint not null,
    constraint truck_pass_pkey primary key (id),
    constraint truck_pass_number_once unique (number),
    -- One pass from one approval (I6).
    constraint truck_pass_one_per_application unique (pass_application_id),
    constraint truck_pass_span check (valid_until > valid_from),
    constraint truck_pass_state_known check (state in (
        'ACTIVE', 'SUSPENDED', 'WITHDRAWN', 'CANCELLED', 'ANNULLED', 'PENALISED', 'SUPERSEDED')),
    constraint truck_pass_application_fkey foreign key (pass_application_id) references pass_application (id),
    constraint truck_pass_previous_fkey foreign key (previous_pass_id) references truck_pass (id),
    constraint truck_pass_vehicle_fkey foreign key (enterprise_id, vehicle_id) references vehicle (enterprise_id, id)
);
create index truck_pass_enterprise on truck_pass (enterprise_id, id);
create index truck_pass_vehicle on truck_pass (vehicle_id, id);
create index truck_pass_plate on truck_pass (plate_number, id);

-- One active long-term pass per vehicle and zone (1车1证, R16), whatever two reviewers do at once.
create table truck_pass_zone (
    truck_pass_id uuid not null,
    zone_id uuid not null,
    plate_number text not null,
    plate_type text not null,
    validity tstzrange not null,
    holds boolean not null,
    constraint truck_pass_zone_pkey primary key (truck_pass_id, zone_id),
    constraint truck_pass_zone_pass_fkey foreign key (truck_pass_id) references truck_pass (id),
    constraint pass_one_active_per_plate exclude using gist
        (plate_number with =, plate_type with =, zone_id with =, validity with &&) where (holds)
);

-- Which pass took which place; given back once.
create table quota_use (
    quota_id uuid not null,
    truck_pass_id uuid not null,
    release_time timestamptz,
    constraint quota_use_pkey primary key (quota_id, truck_pass_id),
    constraint quota_use_quota_fkey foreign key (quota_id) references quota (id),
    constraint quota_use_pass_fkey foreign key (truck_pass_id) references truck_pass (id)
);

create table blacklist_entry (
    id uuid not null,
    vehicle_id uuid,
    enterprise_id uuid,
    reason_code text not null,
    reason text not null,
    valid_from timestamptz not null,
    valid_until timestamptz,
    officer_id uuid not null,
    create_time timestamptz not null,
    lift_time timestamptz,
    lift_note text not null,
    constraint blacklist_entry_pkey primary key (id),
    constraint blacklist_entry_one_subject check (num_nonnulls(vehicle_id, enterprise_id) = 1),
    constraint blacklist_entry_vehicle_fkey foreign key (vehicle_id) references vehicle (id),
    constraint blacklist_entry_enterprise_fkey foreign key (enterprise_id) references enterprise (id),
    constraint blacklist_entry_officer_fkey foreign key (officer_id) references officer (id)
);
create index blacklist_entry_vehicle on blacklist_entry (vehicle_id) where lift_time is null;
create index blacklist_entry_enterprise on blacklist_entry (enterprise_id) where lift_time is null;
