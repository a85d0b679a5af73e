-- Joint meetings (警企联席会议; measure 19): whoever was dissatisfied to the end is heard there, and
-- somebody owes the rest until a day. Answers that are written once (CO-18). Redaction whose original
-- stays sealed (CO-17). And what lets the lists of the desk stay short walks along an index, however
-- many complaints there are (SD-16).

create table joint_meeting (
    id uuid not null,
    unit_id uuid not null,
    unit_path text not null,
    title text not null,
    place text not null,
    meet_time timestamptz not null,
    -- Who is invited, beside the unit that calls.
    unit_ids uuid[] not null,
    unit_paths text[] not null,
    enterprise_ids uuid[] not null,
    minutes text not null default '',
    state text not null,
    create_time timestamptz not null,
    close_time timestamptz,
    update_time timestamptz not null,
    version bigint not null,
    constraint joint_meeting_pkey primary key (id),
    constraint joint_meeting_state_known check (state in ('CALLED', 'CLOSED')),
    constraint joint_meeting_unit_fkey foreign key (unit_id) references unit (id)
);

create table meeting_point (
    id uuid not null,
    -- Absent while it waits for a meeting.
    joint_meeting_id uuid,
    -- What it is about; absent for a free text.
    collection text,
    subject_id uuid,
    enterprise_id uuid,
    -- The unit in charge.
    unit_path text not null,
    title text not null,
    -- Among officers.
    note text not null,
    state text not null,
    decision text not null default '',
    owing_unit_id uuid,
    owing_path text,
    due_day date,
    outcome text not null default '',
    -- The order of lists: open ones before settled ones, newer before older (domain/meeting.rs).
    place uuid not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    version bigint not null,
    constraint meeting_point_pkey primary key (id),
    constraint meeting_point_state_known check (state in ('WAITING', 'LISTED', 'DECIDED', 'SETTLED')),
    constraint meeting_point_waits check ((state = 'WAITING') = (joint_meeting_id is null)),
    constraint meeting_point_owed check ((state in ('DECIDED', 'SETTLED'))
        = (owing_unit_id is not null and owing_path is not null and due_day is not null)),
    constraint meeting_point_meeting_fkey foreign key (joint_meeting_id) references joint_meeting (id),
    constraint meeting_point_enterprise_fkey foreign key (enterprise_id) references enterprise (id),
    constraint meeting_point_owing_fkey foreign key (owing_unit_id) references unit (id)
);
-- A thing is on one list at a time.
create unique index meeting_point_open_once on meeting_point (subject_id)
    where state <> 'SETTLED' and subject_id is not null;
create index meeting_point_enterprise on meeting_point (enterprise_id, place);
create index meeting_point_meeting on meeting_point (joint_meeting_id, place);

-- Who of the police sees a point, as with complaints: one row for every unit above those concerned.
create table meeting_point_sight (
    meeting_point_id uuid not null,
    reach text not null,
    place uuid not null,
    constraint meeting_point_sight_pkey primary key (meeting_point_id, reach),
    constraint meeting_point_sight_point_fkey foreign key (meeting_point_id)
        references meeting_point (id)
);
create index meeting_point_sight_place on meeting_point_sight (reach, place);

alter table obligation drop constraint obligation_kind_known;
alter table obligation add constraint obligation_kind_known check (kind in ('FIRST_REPLY', 'NEXT_REPLY',
    'SOLVE_CONVERSATION', 'SOLVE_PROBLEM', 'ACCEPT_COMPLAINT', 'ASSIGN_COMPLAINT', 'SIGN_COMPLAINT',
    'HANDLE_COMPLAINT', 'REVIEW_FEEDBACK', 'SUPERVISE_COMPLAINT', 'SETTLE_MEETING_POINT'));

create table answer_template (
    id uuid not null,
    unit_id uuid not null,
    unit_path text not null,
    category text not null,
    title text not null,
    body text not null,
    officer_id uuid not null,
    create_time timestamptz not null,
    retire_time timestamptz,
    constraint answer_template_pkey primary key (id),
    constraint answer_template_category_known check
        (category in ('URGENT', 'CONSULTATION', 'HELP', 'COMPLAINT', 'SUGGESTION')),
    constraint answer_template_unit_fkey foreign key (unit_id) references unit (id),
    constraint answer_template_officer_fkey foreign key (officer_id) references officer (id)
);
create index answer_template_unit on answer_template (unit_path, category) where retire_time is null;

-- What a field said before a passage of it was taken out of everybody's sight. Never rewritten.
create table complaint_redaction (
    id uuid not null,
    -- The order within one call, whose rows share an instant.
    position bigint not null generated always as identity,
    complaint_id uuid not null,
    field text not null,
    original_sealed bytea not null,
    reason text not null,
    officer_id uuid not null,
    create_time timestamptz not null,
    constraint complaint_redaction_pkey primary key (id),
    constraint complaint_redaction_field_known check (field in ('TITLE', 'CONTENT', 'FEEDBACK')),
    constraint complaint_redaction_complaint_fkey foreign key (complaint_id) references complaint (id),
    constraint complaint_redaction_officer_fkey foreign key (officer_id) references officer (id)
);
create index complaint_redaction_complaint on complaint_redaction (complaint_id, position);
create trigger complaint_redaction_is_kept before update or delete on complaint_redaction
    for each row execute function refuse_rewrite();

-- Whoever opens an original is recorded where supervisors of conversations are.
alter table content_access add column complaint_id uuid;
alter table content_access drop constraint content_access_action_known;
alter table content_access add constraint content_access_action_known
    check (action in ('INSPECT', 'SEARCH', 'EXPORT', 'READ_REDACTED'));

-- Steps of the ladder, one row for every unit above the one that owes: the list of any unit from any
-- level on is a walk along an index for each level.
create table escalation_sight (
    escalation_id uuid not null,
    reach text not null,
    level integer not null,
    -- Whether the thing is still owed.
    open boolean not null,
    constraint escalation_sight_pkey primary key (escalation_id, reach),
    constraint escalation_sight_escalation_fkey foreign key (escalation_id) references escalation (id)
);
create index escalation_sight_level on escalation_sight (reach, level, escalation_id);
create index escalation_sight_open on escalation_sight (reach, level, escalation_id) where open;
create index escalation_obligation on escalation (obligation_id);

-- The path of a unit and of every unit above it.
create function reaches(path text) returns setof text language sql immutable parallel safe as $$
    select left(path, at) from generate_series(1, length(path)) as at where substr(path, at, 1) = '/'
$$;

-- By triggers, because whatever takes a step and whatever settles an obligation, one by one or a
-- thousand at once, must not forget the list.
create function show_escalations() returns trigger language plpgsql as $$
begin
    insert into escalation_sight (escalation_id, reach, level, open)
    select fresh.id, reach, fresh.level,
        obligation.meet_time is null and obligation.void_time is null
    from fresh
    join obligation on obligation.id = fresh.obligation_id
    cross join lateral reaches(fresh.unit_path) as reach;
    return null;
end
$$;
create trigger escalation_is_shown after insert on escalation
    referencing new table as fresh for each statement execute function show_escalations();

create function settle_escalations() returns trigger language plpgsql as $$
begin
    update escalation_sight set open = new.meet_time is null and new.void_time is null
    from escalation
    where escalation.obligation_id = new.id and escalation_sight.escalation_id = escalation.id;
    return null;
end
$$;
create trigger obligation_settles_escalations after update on obligation
    for each row when ((old.meet_time is null and old.void_time is null)
        is distinct from (new.meet_time is null and new.void_time is null))
    execute function settle_escalations();

insert into escalation_sight (escalation_id, reach, level, open)
select escalation.id, reach, escalation.level,
    obligation.meet_time is null and obligation.void_time is null
from escalation
join obligation on obligation.id = obligation_id
cross join lateral reaches(escalation.unit_path) as reach;
drop index escalation_unit;

-- A rare category in a common state, and a rare state of an enterprise that files a lot.
create index complaint_sight_both on complaint_sight (reach, state, category, complaint_id);
create index complaint_enterprise_category on complaint (enterprise_id, category, id);
create index evaluation_enterprise_state on evaluation (enterprise_id, state, id);
