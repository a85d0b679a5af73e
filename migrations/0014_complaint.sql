-- Requests and complaints of enterprises (诉求、投诉; measure 19), the evaluation that follows every
-- finished thing, and the ladder of what is late. No row of these is ever deleted.

-- How complaints of a category are handled, by date: limits as `WORKING_DAYS:3`.
create table complaint_policy (
    id uuid not null,
    category text not null,
    valid_from timestamptz not null,
    accept_limit text not null,
    assign_limit text not null,
    sign_limit text not null,
    handle_limit text not null,
    review_limit text not null,
    redo_limit text not null,
    extension_days_max integer not null,
    answer_characters_min integer not null,
    -- What must be given beside title and content.
    needed text[] not null,
    -- Who may take it in and assign it, and who may judge the answer: beside what POLICY permits.
    intake_roles text[] not null,
    reviewer_roles text[] not null,
    source text not null,
    officer_id uuid not null,
    create_time timestamptz not null,
    constraint complaint_policy_pkey primary key (id),
    constraint complaint_policy_category_known check
        (category in ('URGENT', 'CONSULTATION', 'HELP', 'COMPLAINT', 'SUGGESTION')),
    constraint complaint_policy_needed_known check (needed <@ array['ATTACHMENT', 'PLACE']),
    constraint complaint_policy_roles check
        (array_length(intake_roles, 1) > 0 and array_length(reviewer_roles, 1) > 0),
    constraint complaint_policy_extension check (extension_days_max between 0 and 20),
    constraint complaint_policy_officer_fkey foreign key (officer_id) references officer (id)
);
create unique index complaint_policy_dated on complaint_policy (category, valid_from);

create table complaint (
    id uuid not null,
    number text not null,
    enterprise_id uuid not null,
    -- The unit of the enterprise's place, whose assigners take it in.
    unit_path text not null,
    category text not null,
    channel text not null,
    title text not null,
    content text not null,
    -- Where it happened, in the words of whoever files; empty where that says nothing.
    place text not null default '',
    filer text not null,
    -- What it grew out of: a conversation, a decision that was rated badly.
    collection text,
    subject_id uuid,
    -- The messages of that conversation that were handed over.
    linked_sequences bigint[] not null default '{}',
    state text not null,
    lead_unit_id uuid,
    lead_path text,
    helper_paths text[] not null default '{}',
    assigner_id uuid,
    handler_id uuid,
    reviewer_id uuid,
    -- Who handled it in an earlier round and may not handle it again.
    past_handlers uuid[] not null default '{}',
    -- How often it was handled a second time.
    round integer not null default 0,
    returns integer not null default 0,
    objected boolean not null default false,
    extension_days integer not null default 0,
    urges integer not null default 0,
    supervision_level text,
    feedback text not null default '',
    conclusion text not null default '',
    outside_target text not null default '',
    outside_number text not null default '',
    merged_into_id uuid,
    -- Since when the handling of this round is counted, and until when it is owed.
    handle_open_time timestamptz,
    handle_due_time timestamptz,
    -- The limit was counted in a year without a published notice.
    provisional boolean not null default false,
    create_time timestamptz not null,
    close_time timestamptz,
    update_time timestamptz not null,
    version bigint not null,
    constraint complaint_pkey primary key (id),
    constraint complaint_number_once unique (number),
    constraint complaint_tenant unique (enterprise_id, id),
    constraint complaint_state_known check (state in ('SUBMITTED', 'NOT_ACCEPTED', 'TRANSFERRED_OUT',
        'ACCEPTED', 'ASSIGNED', 'RETURNED', 'IN_PROGRESS', 'FEEDBACK_SUBMITTED', 'CALL_BACK',
        'REOPENED', 'ESCALATED', 'CLOSED', 'MERGED', 'WITHDRAWN')),
    constraint complaint_category_known check
        (category in ('URGENT', 'CONSULTATION', 'HELP', 'COMPLAINT', 'SUGGESTION')),
    constraint complaint_channel_known check (channel in
        ('MINI_PROGRAM', 'WINDOW', 'PHONE', 'CHAT', 'TRANSFERRED_IN', 'EVALUATION')),
    constraint complaint_second_handlings check (round between 0 and 2),
    constraint complaint_enterprise_fkey foreign key (enterprise_id) references enterprise (id),
    constraint complaint_lead_unit_fkey foreign key (lead_unit_id) references unit (id),
    constraint complaint_assigner_fkey foreign key (assigner_id) references officer (id),
    constraint complaint_handler_fkey foreign key (handler_id) references officer (id),
    constraint complaint_reviewer_fkey foreign key (reviewer_id) references officer (id),
    -- With the enterprise, so that nothing is merged into another's.
    constraint complaint_merged_fkey foreign key (enterprise_id, merged_into_id)
        references complaint (enterprise_id, id)
);
create index complaint_enterprise on complaint (enterprise_id, id);
create index complaint_enterprise_state on complaint (enterprise_id, state, id);
create index complaint_outside on complaint (id) where state = 'TRANSFERRED_OUT' and outside_number = '';
create index complaint_subject on complaint (subject_id) where subject_id is not null;
create index complaint_month on complaint (create_time);

-- Who of the police sees a complaint: every unit above the units concerned, one row each, so that a
-- list of any unit is one walk along an index, however many complaints there are.
create table complaint_sight (
    reach text not null,
    complaint_id uuid not null,
    state text not null,
    category text not null,
    constraint complaint_sight_pkey primary key (reach, complaint_id),
    constraint complaint_sight_complaint_fkey foreign key (complaint_id) references complaint (id)
);
create index complaint_sight_state on complaint_sight (reach, state, complaint_id);
create index complaint_sight_category on complaint_sight (reach, category, complaint_id);
create index complaint_sight_complaint on complaint_sight (complaint_id);

create table complaint_attachment (
    complaint_id uuid not null,
    -- With the enterprise, so that nobody shows another's file.
    enterprise_id uuid not null,
    attachment_id uuid not null,
    create_time timestamptz not null,
    constraint complaint_attachment_pkey primary key (complaint_id, attachment_id),
    constraint complaint_attachment_complaint_fkey foreign key (enterprise_id, complaint_id)
        references complaint (enterprise_id, id),
    constraint complaint_attachment_file_fkey foreign key (enterprise_id, attachment_id)
        references attachment (enterprise_id, id)
);

create table complaint_extension (
    id uuid not null,
    complaint_id uuid not null,
    days integer not null,
    reason text not null,
    basis text not null,
    state text not null,
    officer_id uuid not null,
    decider_id uuid,
    note text not null default '',
    create_time timestamptz not null,
    decide_time timestamptz,
    constraint complaint_extension_pkey primary key (id),
    constraint complaint_extension_state_known check (state in ('REQUESTED', 'APPROVED', 'REFUSED')),
    constraint complaint_extension_days check (days between 1 and 20),
    constraint complaint_extension_complaint_fkey foreign key (complaint_id) references complaint (id),
    constraint complaint_extension_officer_fkey foreign key (officer_id) references officer (id),
    constraint complaint_extension_decider_fkey foreign key (decider_id) references officer (id)
);
-- Once for each complaint; a refused one may be asked for again.
create unique index complaint_extension_once on complaint_extension (complaint_id)
    where state <> 'REFUSED';

-- The evaluation of any finished thing (好差评): one invitation for each end, one answer.
create table evaluation (
    id uuid not null,
    collection text not null,
    subject_id uuid not null,
    round integer not null,
    enterprise_id uuid not null,
    unit_path text not null,
    officer_id uuid,
    state text not null,
    level text,
    solved boolean,
    comment text not null default '',
    create_time timestamptz not null,
    -- Silence until then closes it as unrated, which never counts as satisfied.
    due_time timestamptz not null,
    remind_time timestamptz,
    rate_time timestamptz,
    constraint evaluation_pkey primary key (id),
    constraint evaluation_once unique (collection, subject_id, round),
    constraint evaluation_state_known check (state in ('INVITED', 'RATED', 'UNRATED')),
    constraint evaluation_level_known check (level in ('VERY_SATISFIED', 'SATISFIED',
        'BASICALLY_SATISFIED', 'DISSATISFIED', 'VERY_DISSATISFIED')),
    constraint evaluation_rated check
        ((state = 'RATED') = (level is not null and solved is not null and rate_time is not null)),
    constraint evaluation_enterprise_fkey foreign key (enterprise_id) references enterprise (id),
    constraint evaluation_officer_fkey foreign key (officer_id) references officer (id)
);
create index evaluation_open on evaluation (due_time) where state = 'INVITED';
create index evaluation_unasked on evaluation (create_time) where state = 'INVITED' and remind_time is null;
create index evaluation_enterprise on evaluation (enterprise_id, id);
create index evaluation_month on evaluation (create_time);

-- What was asked of conversations before moves over.
insert into evaluation (id, collection, subject_id, round, enterprise_id, unit_path, officer_id, state,
    level, solved, comment, create_time, due_time, remind_time, rate_time)
select gen_random_uuid(), 'conversations', conversation_id, rating.round, enterprise_id, unit_path,
    rating.officer_id, case when rate_time is null then 'INVITED' else 'RATED' end,
    level, solved, comment, rating.create_time, rating.create_time + interval '7 days', remind_time,
    rate_time
from conversation_rating rating join conversation on conversation.id = conversation_id;
drop table conversation_rating;

-- Obligations learn their limit, so that they can be counted again, and their place on the ladder.
alter table obligation drop constraint obligation_kind_known;
alter table obligation add constraint obligation_kind_known check (kind in ('FIRST_REPLY', 'NEXT_REPLY',
    'SOLVE_CONVERSATION', 'SOLVE_PROBLEM', 'ACCEPT_COMPLAINT', 'ASSIGN_COMPLAINT', 'SIGN_COMPLAINT',
    'HANDLE_COMPLAINT', 'REVIEW_FEEDBACK', 'SUPERVISE_COMPLAINT'));
alter table obligation add column limit_text text not null default '';
alter table obligation add column extension_days integer not null default 0;
alter table obligation add column provisional boolean not null default false;
alter table obligation add column pause_time timestamptz;
alter table obligation add column level integer not null default 0;
-- When the sweeper looks next; later than the step when a look failed.
alter table obligation add column sweep_time timestamptz;
alter table obligation add column failures integer not null default 0;
update obligation set sweep_time = amber_time where meet_time is null and void_time is null;
drop index obligation_due;
create index obligation_sweep on obligation (sweep_time)
    where meet_time is null and void_time is null and pause_time is null;
create index obligation_subject on obligation (subject_id, kind);

-- A stretch in which the time stood still.
create table obligation_pause (
    obligation_id uuid not null,
    begin_time timestamptz not null,
    end_time timestamptz,
    constraint obligation_pause_pkey primary key (obligation_id, begin_time),
    constraint obligation_pause_obligation_fkey foreign key (obligation_id) references obligation (id)
);

-- A due time that moved: the old one is kept, with the cause.
create table obligation_move (
    id uuid not null,
    obligation_id uuid not null,
    from_due_time timestamptz not null,
    to_due_time timestamptz not null,
    cause text not null,
    calendar_version text not null,
    create_time timestamptz not null,
    constraint obligation_move_pkey primary key (id),
    constraint obligation_move_cause_known check (cause in ('PAUSE', 'EXTENSION', 'CALENDAR')),
    constraint obligation_move_obligation_fkey foreign key (obligation_id) references obligation (id)
);
create index obligation_move_obligation on obligation_move (obligation_id);

-- A step of the ladder that was taken (CO-07): reminded, late, urged in writing, criticised.
create table escalation (
    id uuid not null,
    obligation_id uuid not null,
    level integer not null,
    unit_path text not null,
    -- When the step was due, and when it was taken.
    due_time timestamptz not null,
    create_time timestamptz not null,
    constraint escalation_pkey primary key (id),
    constraint escalation_once unique (obligation_id, level),
    constraint escalation_level_known check (level between 1 and 4),
    constraint escalation_obligation_fkey foreign key (obligation_id) references obligation (id)
);
create index escalation_unit on escalation (unit_path text_pattern_ops, id);

-- The last good round of a job that somebody must notice when it stops.
create table heartbeat (
    job text not null,
    beat_time timestamptz not null,
    constraint heartbeat_pkey primary key (job)
);
