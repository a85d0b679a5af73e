-- Measure 6 has clocks like everything else: taking an application in, and deciding it; so has the
-- confirmation of a place at the service centre (measure 18). Until now these due times were told, and
-- nobody was reminded of them.

alter table obligation drop constraint obligation_kind_known;
alter table obligation add constraint obligation_kind_known check (kind in ('FIRST_REPLY', 'NEXT_REPLY',
    'SOLVE_CONVERSATION', 'SOLVE_PROBLEM', 'ACCEPT_COMPLAINT', 'ASSIGN_COMPLAINT', 'SIGN_COMPLAINT',
    'HANDLE_COMPLAINT', 'REVIEW_FEEDBACK', 'SUPERVISE_COMPLAINT', 'SETTLE_MEETING_POINT',
    'ACCEPT_PASS_APPLICATION', 'DECIDE_PASS_APPLICATION', 'CONFIRM_CENTRE_BOOKING'));

-- What is under way owes the same. No calendar is known here: a row without a version of one is counted
-- by the next round of the worker, from its opening and its pauses, before anybody is called late.
insert into obligation (id, collection, subject_id, kind, unit_path, open_time, due_time, amber_time,
    sweep_time, calendar_version, limit_text, legal_limit_text, pause_time)
select gen_random_uuid(), 'passApplications', id, 'DECIDE_PASS_APPLICATION', unit_path, accept_time,
    accept_time + interval '3 days', accept_time + interval '2 days', accept_time + interval '2 days',
    '', case when need ->> 'kind' = 'TEMPORARY' then 'WORKING_DAYS:1' else 'WORKING_DAYS:3' end,
    'WORKING_DAYS:20', pause_time
from pass_application
where accept_time is not null
    and state in ('SUBMITTED', 'NEEDS_CORRECTION', 'ACCEPTED', 'FIRST_REVIEW', 'FINAL_REVIEW');

insert into obligation_pause (obligation_id, begin_time, end_time)
select distinct on (obligation.id, pause ->> 'from') obligation.id, (pause ->> 'from')::timestamptz,
    (pause ->> 'until')::timestamptz
from obligation
join pass_application on pass_application.id = subject_id
cross join lateral jsonb_array_elements(pauses) as pause
where kind = 'DECIDE_PASS_APPLICATION';

insert into obligation (id, collection, subject_id, kind, unit_path, open_time, due_time, amber_time,
    sweep_time, calendar_version, limit_text, legal_limit_text)
select gen_random_uuid(), 'passApplications', id, 'ACCEPT_PASS_APPLICATION', unit_path, submit_time,
    submit_time + interval '1 day', submit_time + interval '18 hours', submit_time + interval '18 hours',
    '', 'WORKING_DAYS:1', 'WORKING_DAYS:5'
from pass_application
where state = 'SUBMITTED' and submit_time is not null and accept_time is null;

insert into obligation (id, collection, subject_id, kind, unit_path, open_time, due_time, amber_time,
    sweep_time, calendar_version, limit_text)
select gen_random_uuid(), 'centreBookings', id, 'CONFIRM_CENTRE_BOOKING', unit_path, create_time,
    coalesce(confirm_due_time, create_time + interval '1 day'),
    coalesce(confirm_due_time, create_time + interval '1 day'),
    coalesce(confirm_due_time, create_time + interval '1 day'), '', 'WORKING_HOURS:4'
from centre_booking
where state = 'REQUESTED';
