-- Proofs that nobody but the officer has seen: whoever creates an account gets nothing to enter with. The
-- officer enrols by a code that goes to the own phone, and makes password and second factor alone.
alter table officer
    add column phone_sealed bytea,
    add column phone_index bytea,
    -- Closed after 90 days without a sign-in; a reset by two persons opens it again.
    add column close_time timestamptz,
    -- The last sign-in, or what stands for it. What was put in by hand is never closed.
    add column use_time timestamptz not null default 'infinity',
    -- When the officer was told that the account will be closed.
    add column unused_tell_time timestamptz,
    -- How often a security administrator lifted a lock: the waits of sources count from there anew.
    add column lifts integer not null default 0;
-- Nobody is closed for the time before anybody counted.
update officer set use_time = now();
create index officer_use on officer (use_time) where disable_time is null and close_time is null;

-- First passwords that were handed to an administrator, and never changed, are proofs no longer.
update officer set password_hash = '', totp_secret_sealed = ''
where password_expired and password_history = '{}' and password_time = create_time;
-- Nor may the answer that handed them out be asked for again.
delete from idempotency where method = 'OrganisationService/CreateOfficer';

-- When an officer's session last called, to the minute; others are not bound to it.
alter table session add column active_time timestamptz not null default 'infinity';
update session set active_time = now() where officer_id is not null;
create index session_active on session (active_time) where officer_id is not null and end_time is null;

create table officer_enrolment (
    id uuid not null,
    officer_id uuid not null,
    code_index bytea not null,
    -- The secret that the last beginning showed.
    totp_secret_sealed bytea,
    create_time timestamptz not null,
    expire_time timestamptz not null,
    use_time timestamptz,
    -- Another code took its place, or the account ended.
    end_time timestamptz,
    constraint officer_enrolment_pkey primary key (id),
    constraint officer_enrolment_officer_fkey foreign key (officer_id) references officer (id),
    constraint officer_enrolment_lapses check (expire_time > create_time),
    constraint officer_enrolment_ends_once check (num_nonnulls(use_time, end_time) <= 1)
);
create unique index officer_enrolment_open_once on officer_enrolment (officer_id)
    where use_time is null and end_time is null;

-- What goes to an officer's phone whatever the ways of notices: one's own code, and that somebody is about
-- to change how one comes in. Phone and code lie sealed until it is sent; then the code is wiped.
create table officer_message (
    id uuid not null,
    officer_id uuid not null,
    kind text not null,
    phone_sealed bytea not null,
    code_sealed bytea,
    expire_time timestamptz,
    create_time timestamptz not null,
    send_time timestamptz,
    constraint officer_message_pkey primary key (id),
    constraint officer_message_officer_fkey foreign key (officer_id) references officer (id),
    -- CODE, or what else is told: an event of the notices.
    constraint officer_message_kind check ((kind = 'CODE') = (expire_time is not null)),
    constraint officer_message_wiped check (send_time is null or code_sealed is null),
    constraint officer_message_code check (code_sealed is null or kind = 'CODE')
);
create index officer_message_officer on officer_message (officer_id);
