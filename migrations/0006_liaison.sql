-- Measures 17 and 18: liaison posts, who is on them, whom they serve, and the conversations.
-- The binding is between enterprise and post; the officer may change, the history stays.

-- GB/T 4754: the section letter of the enterprise's industry, for posts that serve by industry.
alter table enterprise add column industry text not null default '';
alter table enterprise add constraint enterprise_industry_letter check (industry ~ '^[A-T]?$');

-- The key that signs sealed exports.
alter table signing_key drop constraint signing_key_purpose_known;
alter table signing_key add constraint signing_key_purpose_known check
    (purpose in ('ACCESS_TOKEN', 'PASS_CODE', 'KEY_LIST', 'RECORD'));

create table liaison_post (
    id uuid not null,
    unit_id uuid not null,
    unit_path text not null,
    display_name text not null,
    mode text not null,
    duty_hours jsonb not null,
    capacity_max integer not null,
    districts text[] not null,
    industries text[] not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    version bigint not null,
    constraint liaison_post_pkey primary key (id),
    constraint liaison_post_mode_known check (mode in ('STATIONED', 'FULL_TIME', 'CITY_WIDE')),
    constraint liaison_post_capacity check (capacity_max between 1 and 1000),
    constraint liaison_post_unit_fkey foreign key (unit_id) references unit (id)
);
create index liaison_post_unit on liaison_post (unit_path text_pattern_ops, id);

create table liaison_roster (
    id uuid not null,
    liaison_post_id uuid not null,
    officer_id uuid not null,
    create_time timestamptz not null,
    end_time timestamptz,
    constraint liaison_roster_pkey primary key (id),
    constraint liaison_roster_post_fkey foreign key (liaison_post_id) references liaison_post (id),
    constraint liaison_roster_officer_fkey foreign key (officer_id) references officer (id)
);
create unique index liaison_roster_once on liaison_roster (liaison_post_id, officer_id)
    where end_time is null;
create index liaison_roster_officer on liaison_roster (officer_id) where end_time is null;

-- Whether an officer is at the desk: what the officer said last.
create table presence (
    officer_id uuid not null,
    present boolean not null,
    update_time timestamptz not null,
    constraint presence_pkey primary key (officer_id),
    constraint presence_officer_fkey foreign key (officer_id) references officer (id)
);

create table liaison_binding (
    id uuid not null,
    enterprise_id uuid not null,
    liaison_post_id uuid not null,
    source text not null,
    -- What makes a binding code serve once.
    code_id uuid,
    create_time timestamptz not null,
    end_time timestamptz,
    constraint liaison_binding_pkey primary key (id),
    constraint liaison_binding_source_known check
        (source in ('GRANT', 'DISTRICT', 'INDUSTRY', 'SCAN', 'WECOM')),
    constraint liaison_binding_code_once unique (code_id),
    constraint liaison_binding_enterprise_fkey foreign key (enterprise_id) references enterprise (id),
    constraint liaison_binding_post_fkey foreign key (liaison_post_id) references liaison_post (id)
);
create unique index liaison_binding_once on liaison_binding (enterprise_id, liaison_post_id)
    where end_time is null;
create index liaison_binding_post on liaison_binding (liaison_post_id, id);

create table conversation (
    id uuid not null,
    enterprise_id uuid not null,
    liaison_post_id uuid not null,
    -- The path of the post's unit, for the scope of supervisors.
    unit_path text not null,
    title text not null,
    state text not null,
    assignee_id uuid,
    claim_time timestamptz,
    -- When it came into the queue: nothing but an answer gives it a later place.
    queue_time timestamptz not null,
    -- The last message. Assigned under the row's lock, so that no number is missing.
    last_sequence bigint not null,
    -- The last link of the hash chain.
    chain bytea not null,
    -- Since when the enterprise waits, and whether it was told so by the automatic reply.
    awaiting_since timestamptz,
    auto_reply_time timestamptz,
    -- The last reply of an officer since it was opened or opened again.
    reply_time timestamptz,
    -- Until when the running obligation is promised: kept for lists.
    reply_due_time timestamptz,
    round integer not null,
    -- Rises with every change of who may read: streams look again.
    access_version bigint not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    version bigint not null,
    constraint conversation_pkey primary key (id),
    constraint conversation_state_known check (state in ('QUEUED', 'CLAIMED', 'CLOSED')),
    constraint conversation_claimed_by check ((state = 'CLAIMED') = (assignee_id is not null)),
    constraint conversation_enterprise_fkey foreign key (enterprise_id) references enterprise (id),
    constraint conversation_post_fkey foreign key (liaison_post_id) references liaison_post (id),
    constraint conversation_assignee_fkey foreign key (assignee_id) references officer (id)
) with (fillfactor = 70);
create index conversation_enterprise on conversation (enterprise_id, id);
create index conversation_post on conversation (liaison_post_id, id);
create index conversation_queue on conversation (liaison_post_id, queue_time, id)
    where state = 'QUEUED';
create index conversation_assignee on conversation (assignee_id) where state = 'CLAIMED';
create index conversation_unit on conversation (unit_path text_pattern_ops, id);

-- The people of the enterprise who take part.
create table conversation_member (
    conversation_id uuid not null,
    person_id uuid not null,
    join_time timestamptz not null,
    leave_time timestamptz,
    constraint conversation_member_pkey primary key (conversation_id, person_id),
    constraint conversation_member_conversation_fkey foreign key (conversation_id)
        references conversation (id),
    constraint conversation_member_person_fkey foreign key (person_id) references person (id)
);
create index conversation_member_person on conversation_member (person_id, conversation_id)
    where leave_time is null;

-- Who may read and write: a person who takes part and still acts for the enterprise in this matter,
-- an officer on the roster of the post. In one place, and in the same statement as what is read:
-- nothing that was committed after somebody's removal can be seen by them (I15).
create function takes_part(conversation uuid, enterprise uuid, post uuid, person uuid, officer uuid,
    at timestamptz) returns boolean language sql stable parallel safe as $$
    select exists (
        select from conversation_member
        where conversation_id = conversation and person_id = person and leave_time is null
    ) and exists (
        select from member
        where enterprise_id = enterprise and person_id = person and end_time is null
            and (valid_until is null or valid_until > at)
            and (role = 'LEGAL_REPRESENTATIVE' or 'LIAISON' = any (scope))
    ) or exists (
        select from liaison_roster
        where liaison_post_id = post and officer_id = officer and end_time is null
    )
$$;

-- What a reader has received and read, persons and officers alike.
create table conversation_mark (
    conversation_id uuid not null,
    reader text not null,
    delivered_sequence bigint not null,
    read_sequence bigint not null,
    constraint conversation_mark_pkey primary key (conversation_id, reader),
    constraint conversation_mark_order check (read_sequence <= delivered_sequence),
    constraint conversation_mark_conversation_fkey foreign key (conversation_id)
        references conversation (id)
) with (fillfactor = 70);

-- Nothing is ever deleted here or changed but the time of a recall: the chain would break.
create table message (
    conversation_id uuid not null,
    sequence bigint not null,
    sender text not null,
    -- The device (session) that sent it, and the id that the device chose; null for the system.
    device_id uuid,
    client_message_id uuid,
    -- SHA-256 of what was sent, to tell a resend from a reuse.
    digest bytea not null,
    kind text not null,
    body text not null,
    -- A place, a card or a notice as JSON text, byte for byte as it is in the chain.
    detail text not null,
    attachment_id uuid,
    target_sequence bigint,
    recall_time timestamptz,
    create_time timestamptz not null,
    chain bytea not null,
    constraint message_pkey primary key (conversation_id, sequence),
    constraint message_sent_once unique (conversation_id, device_id, client_message_id),
    constraint message_kind_known check (kind in ('TEXT', 'IMAGE', 'FILE', 'VOICE', 'LOCATION',
        'PASS_CARD', 'COMPLAINT_CARD', 'SYSTEM_NOTICE', 'RECALL')),
    constraint message_conversation_fkey foreign key (conversation_id) references conversation (id)
);
create index message_time on message (create_time);

create table conversation_note (
    id uuid not null,
    conversation_id uuid not null,
    officer_id uuid not null,
    body text not null,
    create_time timestamptz not null,
    constraint conversation_note_pkey primary key (id),
    constraint conversation_note_conversation_fkey foreign key (conversation_id)
        references conversation (id),
    constraint conversation_note_officer_fkey foreign key (officer_id) references officer (id)
);
create index conversation_note_conversation on conversation_note (conversation_id, id);

create table canned_reply (
    id uuid not null,
    liaison_post_id uuid not null,
    title text not null,
    body text not null,
    create_time timestamptz not null,
    retire_time timestamptz,
    constraint canned_reply_pkey primary key (id),
    constraint canned_reply_post_fkey foreign key (liaison_post_id) references liaison_post (id)
);
create index canned_reply_post on canned_reply (liaison_post_id) where retire_time is null;

-- One invitation to rate for each close; the rating is given once, and asked for once more.
create table conversation_rating (
    conversation_id uuid not null,
    round integer not null,
    officer_id uuid,
    level text,
    solved boolean,
    comment text not null default '',
    create_time timestamptz not null,
    rate_time timestamptz,
    remind_time timestamptz,
    constraint conversation_rating_pkey primary key (conversation_id, round),
    constraint conversation_rating_level_known check (level in ('VERY_SATISFIED', 'SATISFIED',
        'BASICALLY_SATISFIED', 'DISSATISFIED', 'VERY_DISSATISFIED')),
    constraint conversation_rating_conversation_fkey foreign key (conversation_id)
        references conversation (id)
);
create index conversation_rating_open on conversation_rating (create_time)
    where rate_time is null and remind_time is null;

-- Somebody owes something until an instant: the shared piece. Due times are counted once, from the
-- calendar of `calendar_version`, and kept; a miss is a row's breach time, and stays one.
create table obligation (
    id uuid not null,
    collection text not null,
    subject_id uuid not null,
    kind text not null,
    unit_path text not null,
    open_time timestamptz not null,
    due_time timestamptz not null,
    amber_time timestamptz not null,
    calendar_version text not null,
    meet_time timestamptz,
    -- It was withdrawn: nobody owes it any more.
    void_time timestamptz,
    breach_time timestamptz,
    constraint obligation_pkey primary key (id),
    constraint obligation_kind_known check
        (kind in ('FIRST_REPLY', 'NEXT_REPLY', 'SOLVE_CONVERSATION', 'SOLVE_PROBLEM'))
);
create unique index obligation_open_once on obligation (collection, subject_id, kind)
    where meet_time is null and void_time is null;
create index obligation_due on obligation (due_time)
    where meet_time is null and void_time is null and breach_time is null;
create index obligation_unit on obligation (unit_path text_pattern_ops, open_time);

-- Content that a supervisor read, and why: written before the content is given.
create table content_access (
    id uuid not null,
    officer_id uuid not null,
    unit_path text not null,
    conversation_id uuid,
    action text not null,
    reason text not null,
    query text not null,
    create_time timestamptz not null,
    constraint content_access_pkey primary key (id),
    constraint content_access_action_known check (action in ('INSPECT', 'SEARCH', 'EXPORT')),
    constraint content_access_officer_fkey foreign key (officer_id) references officer (id)
);
create index content_access_unit on content_access (unit_path text_pattern_ops, id);
