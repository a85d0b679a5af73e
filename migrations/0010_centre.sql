-- Around the direct line (measures 17 and 18): visits, the register of problems, meetings at the
-- service centre. Places are a checked counter: whatever two enterprises do at once, none is sold twice.

create table visit (
    id uuid not null,
    enterprise_id uuid not null,
    unit_path text not null,
    officer_id uuid not null,
    visit_time timestamptz not null,
    place text not null,
    people text not null,
    summary text not null,
    findings text not null,
    create_time timestamptz not null,
    constraint visit_pkey primary key (id),
    constraint visit_tenant unique (enterprise_id, id),
    constraint visit_enterprise_fkey foreign key (enterprise_id) references enterprise (id),
    constraint visit_officer_fkey foreign key (officer_id) references officer (id)
);
create index visit_unit on visit (unit_path text_pattern_ops, id);

create table problem (
    id uuid not null,
    enterprise_id uuid not null,
    unit_path text not null,
    title text not null,
    description text not null,
    visit_id uuid,
    state text not null,
    promised_day date,
    outcome text not null,
    create_time timestamptz not null,
    update_time timestamptz not null,
    version bigint not null,
    constraint problem_pkey primary key (id),
    constraint problem_state_known check (state in ('FOUND', 'PROMISED', 'SOLVED', 'DROPPED')),
    constraint problem_enterprise_fkey foreign key (enterprise_id) references enterprise (id),
    -- With the enterprise, so that a problem cannot point at another one's visit.
    constraint problem_visit_fkey foreign key (enterprise_id, visit_id)
        references visit (enterprise_id, id)
);
create index problem_enterprise on problem (enterprise_id, id);
create index problem_unit on problem (unit_path text_pattern_ops, id);

create table centre_slot (
    id uuid not null,
    unit_id uuid not null,
    unit_path text not null,
    place text not null,
    start_time timestamptz not null,
    end_time timestamptz not null,
    capacity integer not null,
    used integer not null,
    create_time timestamptz not null,
    constraint centre_slot_pkey primary key (id),
    constraint centre_slot_span check (end_time > start_time),
    constraint centre_slot_never_oversold check (used >= 0 and used <= capacity),
    constraint centre_slot_unit_fkey foreign key (unit_id) references unit (id)
);
create index centre_slot_start on centre_slot (start_time, id);

create table centre_booking (
    id uuid not null,
    centre_slot_id uuid not null,
    enterprise_id uuid not null,
    unit_path text not null,
    subject text not null,
    state text not null,
    confirm_due_time timestamptz,
    create_time timestamptz not null,
    update_time timestamptz not null,
    version bigint not null,
    constraint centre_booking_pkey primary key (id),
    constraint centre_booking_state_known check
        (state in ('REQUESTED', 'CONFIRMED', 'DONE', 'CANCELLED')),
    constraint centre_booking_slot_fkey foreign key (centre_slot_id) references centre_slot (id),
    constraint centre_booking_enterprise_fkey foreign key (enterprise_id) references enterprise (id)
);
create unique index centre_booking_once on centre_booking (centre_slot_id, enterprise_id)
    where state <> 'CANCELLED';
create index centre_booking_unit on centre_booking (unit_path text_pattern_ops, id);
