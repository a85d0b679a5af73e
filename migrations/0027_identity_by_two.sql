-- Who a reporter is takes two inspectors: one asks with a reason, another one, whom nothing ties to the
-- report, confirms; then it is shown to the first, once. In this schema, because nothing outside it may
-- know of a report.
create table conduct.identity_request (
    id uuid not null,
    report_id uuid not null,
    maker_id uuid not null,
    reason_sealed bytea not null,
    state text not null,
    checker_id uuid,
    create_time timestamptz not null,
    lapse_time timestamptz not null,
    decide_time timestamptz,
    -- When the first inspector looked; nobody looks twice.
    show_time timestamptz,
    constraint identity_request_pkey primary key (id),
    constraint identity_request_state_known check
        (state in ('PROPOSED', 'CONFIRMED', 'DECLINED', 'WITHDRAWN', 'LAPSED')),
    constraint identity_request_four_eyes check (checker_id <> maker_id),
    constraint identity_request_checked check
        ((state in ('CONFIRMED', 'DECLINED')) = (checker_id is not null)),
    constraint identity_request_shown check (show_time is null or state = 'CONFIRMED'),
    constraint identity_request_report_fkey foreign key (report_id) references conduct.report (id)
);
create unique index identity_request_open_once on conduct.identity_request (report_id, maker_id)
    where state = 'PROPOSED';
create index identity_request_report on conduct.identity_request (report_id);

-- What stands in the list of openings was shown after such a confirmation; those before have none.
alter table conduct.opening
    add column request_id uuid,
    add constraint opening_request_fkey foreign key (request_id)
        references conduct.identity_request (id),
    add constraint opening_request_once unique (request_id);
