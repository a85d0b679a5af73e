-- What was checked at the roadside, and what was done about it. Written once, never rewritten.

create table pass_check (
    id uuid not null,
    actor text not null,
    -- The device's own id of the scan: a repetition gets the first answer.
    request_id uuid not null,
    -- SHA-256 of the request: the same id with another content is refused.
    digest bytea not null,
    checkpoint_id uuid not null,
    check_time timestamptz not null,
    direction text not null,
    source text not null,
    plate_number text not null,
    truck_pass_id uuid,
    verdict text not null,
    outcome text not null,
    -- The whole answer, as it was given.
    answer bytea not null,
    latitude double precision not null,
    longitude double precision not null,
    constraint pass_check_pkey primary key (id),
    constraint pass_check_once unique (actor, request_id),
    constraint pass_check_verdict_known check (verdict in ('VALID', 'INVALID', 'UNDETERMINED'))
);
create index pass_check_checkpoint on pass_check (checkpoint_id, id);
create index pass_check_plate on pass_check (plate_number, id);
create trigger pass_check_is_kept before update on pass_check
    for each row execute function refuse_rewrite();

create table pass_check_action (
    pass_check_id uuid not null,
    action text not null,
    note text not null,
    propose_revocation boolean not null,
    officer text not null,
    create_time timestamptz not null,
    constraint pass_check_action_pkey primary key (pass_check_id),
    constraint pass_check_action_known check (action in ('RELEASE', 'EDUCATE', 'TURN_BACK', 'PENALISE')),
    constraint pass_check_action_check_fkey foreign key (pass_check_id) references pass_check (id)
);
