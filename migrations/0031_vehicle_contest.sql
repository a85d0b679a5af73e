-- A vehicle that stands in the wrong garage: the second enterprise says so with papers, an officer
-- decides. Nothing is taken from the holder before that.

create table vehicle_contest (
    id uuid not null,
    -- The vehicle as it stands in the holder's garage.
    vehicle_id uuid not null,
    -- Who says that it is theirs, and the person or officer who filed it.
    enterprise_id uuid not null,
    filed_by text not null,
    plate_number text not null,
    plate_type text not null,
    -- The licence as the contesting enterprise typed it: what stands in its garage if it is moved.
    licence jsonb not null,
    statement text not null,
    attachment_ids uuid[] not null,
    state text not null,
    reason_code text,
    reason_note text not null,
    create_time timestamptz not null,
    decide_time timestamptz,
    version bigint not null,
    constraint vehicle_contest_pkey primary key (id),
    constraint vehicle_contest_state_known check
        (state in ('OPEN', 'UPHELD', 'DISMISSED', 'WITHDRAWN')),
    constraint vehicle_contest_decided check ((state = 'OPEN') = (decide_time is null)),
    constraint vehicle_contest_vehicle_fkey foreign key (vehicle_id) references vehicle (id),
    constraint vehicle_contest_enterprise_fkey foreign key (enterprise_id) references enterprise (id)
);
create unique index vehicle_contest_once on vehicle_contest (vehicle_id, enterprise_id)
    where state = 'OPEN';
create index vehicle_contest_enterprise on vehicle_contest (enterprise_id, id);
