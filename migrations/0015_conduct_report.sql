-- Reports on police units and officers (12389): a world of its own. Nothing outside this schema points
-- into it, and it points outside without foreign keys: a key would lock the row of an accused officer,
-- and refuse its deletion, and so tell that there is a report. Ids are random, because an id in the
-- order of time tells how many there were. What was written is sealed; who wrote it, where that is
-- known at all, stands sealed in a record of its own, which is destroyed before the report is.

create schema conduct;
revoke all on schema conduct from public;

create table conduct.report (
    id uuid not null,
    -- Keyed digests of what the reporter holds: neither can be read back.
    code_index bytea not null,
    secret_digest bytea not null,
    real_name boolean not null,
    content_sealed bytea not null,
    -- The complaint, conversation or application that it is about; any name, also of nothing.
    collection text,
    subject_id uuid,
    state text not null,
    assigner_id uuid,
    investigator_id uuid,
    -- Who investigated before.
    past_investigators uuid[] not null default '{}',
    finding text,
    -- What the reporter is told at the end; or where to go, or why it was not accepted.
    result_sealed bytea,
    extension_days integer not null default 0,
    create_time timestamptz not null,
    end_time timestamptz,
    update_time timestamptz not null,
    version bigint not null,
    constraint report_pkey primary key (id),
    constraint report_code_once unique (code_index),
    constraint report_state_known check (state in ('SUBMITTED', 'NOT_ACCEPTED', 'TRANSFERRED_OUT',
        'TRANSFERRED_UP', 'ACCEPTED', 'ASSIGNED', 'IN_PROGRESS', 'CONCLUDED')),
    constraint report_finding_known check
        (finding in ('SUBSTANTIATED', 'PARTLY_SUBSTANTIATED', 'UNSUBSTANTIATED')),
    constraint report_extension_bounded check (extension_days between 0 and 30),
    constraint report_four_eyes check (investigator_id <> assigner_id)
);
create index report_newest on conduct.report (create_time, id);

-- Who is accused: what the reporter wrote, and whom the intake found it to be.
create table conduct.accused (
    id uuid not null,
    report_id uuid not null,
    text_sealed bytea not null,
    officer_id uuid,
    -- The unit itself, or the officer's unit when the officer was named; the present one is read.
    unit_id uuid,
    create_time timestamptz not null,
    constraint accused_pkey primary key (id),
    constraint accused_report_fkey foreign key (report_id) references conduct.report (id)
);
create index accused_report on conduct.accused (report_id);

-- Who the reporter is, where the report is not anonymous.
create table conduct.identity (
    report_id uuid not null,
    identity_sealed bytea not null,
    constraint identity_pkey primary key (report_id),
    constraint identity_report_fkey foreign key (report_id) references conduct.report (id)
);

-- Who opened that record, and why.
create table conduct.opening (
    id uuid not null,
    report_id uuid not null,
    officer_id uuid not null,
    reason text not null,
    create_time timestamptz not null,
    constraint opening_pkey primary key (id),
    constraint opening_report_fkey foreign key (report_id) references conduct.report (id)
);
create index opening_newest on conduct.opening (create_time, id);
create trigger opening_is_kept before update or delete on conduct.opening
    for each row execute function refuse_rewrite();

-- Who declared an interest, and is kept away from it from then on (回避).
create table conduct.interest (
    report_id uuid not null,
    officer_id uuid not null,
    create_time timestamptz not null,
    constraint interest_pkey primary key (report_id, officer_id),
    constraint interest_report_fkey foreign key (report_id) references conduct.report (id)
);

-- The history: without a call id, by which a log could be joined to it.
create table conduct.change (
    id uuid not null,
    report_id uuid not null,
    position integer not null,
    from_state text not null,
    to_state text not null,
    action text not null,
    actor text not null,
    note_sealed bytea not null,
    create_time timestamptz not null,
    constraint change_pkey primary key (id),
    constraint change_in_order unique (report_id, position),
    constraint change_report_fkey foreign key (report_id) references conduct.report (id)
);
create trigger change_is_kept before update or delete on conduct.change
    for each row execute function refuse_rewrite();

-- The thread between reporter and investigator.
create table conduct.message (
    id uuid not null,
    report_id uuid not null,
    sequence integer not null,
    -- Absent where the reporter wrote it.
    officer_id uuid,
    text_sealed bytea not null,
    -- The keyed digest of the request, so that a repetition writes nothing twice.
    request_digest bytea,
    create_time timestamptz not null,
    constraint message_pkey primary key (id),
    constraint message_in_order unique (report_id, sequence),
    constraint message_request_once unique (report_id, request_digest),
    constraint message_report_fkey foreign key (report_id) references conduct.report (id)
);

-- What is owed until when. Not among the obligations of others, whose lists and figures would show it.
create table conduct.duty (
    id uuid not null,
    report_id uuid not null,
    kind text not null,
    open_time timestamptz not null,
    amber_time timestamptz not null,
    due_time timestamptz not null,
    -- The limit was counted in a year without a published notice.
    provisional boolean not null,
    meet_time timestamptz,
    void_time timestamptz,
    -- How many steps of the ladder were taken.
    rank integer not null default 0,
    -- When the next step is looked at; absent at the top of the ladder.
    sweep_time timestamptz,
    constraint duty_pkey primary key (id),
    constraint duty_kind_known check (kind in ('ACCEPT', 'ASSIGN', 'SIGN', 'HANDLE')),
    constraint duty_report_fkey foreign key (report_id) references conduct.report (id)
);
create unique index duty_open_once on conduct.duty (report_id, kind)
    where meet_time is null and void_time is null;
create index duty_sweep on conduct.duty (sweep_time) where meet_time is null and void_time is null;

-- The steps of the ladder.
create table conduct.escalation (
    duty_id uuid not null,
    level text not null,
    create_time timestamptz not null,
    constraint escalation_pkey primary key (duty_id, level),
    constraint escalation_duty_fkey foreign key (duty_id) references conduct.duty (id)
);

-- An extension that was asked for; a refused one may be asked for again.
create table conduct.extension (
    id uuid not null,
    report_id uuid not null,
    days integer not null,
    reason_sealed bytea not null,
    officer_id uuid not null,
    decider_id uuid,
    state text not null,
    create_time timestamptz not null,
    constraint extension_pkey primary key (id),
    constraint extension_state_known check (state in ('REQUESTED', 'APPROVED', 'REFUSED')),
    constraint extension_days_bounded check (days between 1 and 30),
    constraint extension_four_eyes check (decider_id <> officer_id),
    constraint extension_report_fkey foreign key (report_id) references conduct.report (id)
);
create unique index extension_once on conduct.extension (report_id) where state <> 'REFUSED';

-- The first answer to a filing, sealed under a key that only its request id gives: a repetition gets it
-- again, and nobody else can read it. No actor, and no request id.
create table conduct.filing (
    request_digest bytea not null,
    content_digest bytea not null,
    answer_sealed bytea,
    create_time timestamptz not null,
    constraint filing_pkey primary key (request_digest)
);
create index filing_age on conduct.filing (create_time);

-- The units concerned: those accused, and those of accused officers, then and now.
create view conduct.concerned as
    select accused.report_id, unit.path, unit.parent_id
    from conduct.accused
        left join officer on officer.id = accused.officer_id
        join unit on unit.id in (accused.unit_id, officer.unit_id);

-- Whether a report is kept from an officer: the accused, everybody in an accused unit or below it, and
-- who declared an interest. Asked by every read, so that a personnel change counts at once.
create function conduct.barred(reader uuid, report uuid) returns boolean language sql stable as $$
    select not exists (select from officer where id = reader and disable_time is null)
        or exists (select from conduct.accused where report_id = report and officer_id = reader)
        or exists (select from conduct.interest where report_id = report and officer_id = reader)
        or exists (
            select from conduct.concerned, officer join unit on unit.id = officer.unit_id
            where concerned.report_id = report and officer.id = reader
                and starts_with(unit.path, concerned.path))
$$;

-- Whether an inspector may see a report: not barred, no liaison officer, all units concerned within
-- reach; while somebody accused is not known, the whole city within reach.
create function conduct.sees(reader uuid, reach text, report uuid) returns boolean
language sql stable as $$
    select not conduct.barred(reader, report)
        and not exists (select from officer where id = reader and 'LIAISON_OFFICER' = any(roles))
        and not exists (
            select from conduct.concerned
            where concerned.report_id = report and not starts_with(concerned.path, reach))
        and (not exists (
                select from conduct.accused
                where report_id = report and officer_id is null and unit_id is null)
            or not exists (
                select from unit where parent_id is null and not starts_with(path, reach)))
$$;

-- The inspectorate: units with inspectors who reach beyond their own subtree.
create view conduct.inspectorate as
    select unit.id, unit.path
    from unit
    where unit.path <> unit.reach and exists (
        select from officer
        where unit_id = unit.id and disable_time is null and 'INSPECTOR' = any(roles));

-- Whether a report must go upward: the inspectorate itself, or the head of the tree, is accused.
create function conduct.upward(report uuid) returns boolean language sql stable as $$
    select exists (
        select from conduct.concerned
        where concerned.report_id = report and (concerned.parent_id is null or exists (
            select from conduct.inspectorate where starts_with(concerned.path, inspectorate.path))))
$$;
