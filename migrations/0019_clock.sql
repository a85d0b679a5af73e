-- A recount moves each of the limits by itself: of each the old value is kept (CO-06).
alter table obligation_move add column limit_moved text not null default 'PROMISED';
alter table obligation_move alter column limit_moved drop default;
alter table obligation_move add constraint obligation_move_limit_known
    check (limit_moved in ('LEGAL', 'PROMISED', 'INTERNAL'));

-- Who took a complaint in; they do not handle it (I19).
alter table complaint add column accepter_id uuid
    constraint complaint_accepter_fkey references officer (id);
-- The answer that the enterprise was given last; `feedback` may be a newer one that is being judged.
alter table complaint add column given_feedback text not null default '';
update complaint set given_feedback = feedback where state in ('CALL_BACK', 'REOPENED', 'ESCALATED', 'CLOSED');

-- Every answer that was written, and what became of it: none is lost when another is written.
create table complaint_feedback (
    id uuid not null,
    complaint_id uuid not null,
    round integer not null,
    officer_id uuid not null,
    feedback text not null,
    -- Absent while it is being judged.
    approved boolean,
    reviewer_id uuid,
    review_note text not null default '',
    review_time timestamptz,
    create_time timestamptz not null,
    position bigint generated always as identity,
    constraint complaint_feedback_pkey primary key (id),
    constraint complaint_feedback_complaint_fkey foreign key (complaint_id) references complaint (id),
    constraint complaint_feedback_officer_fkey foreign key (officer_id) references officer (id),
    constraint complaint_feedback_reviewer_fkey foreign key (reviewer_id) references officer (id)
);
create index complaint_feedback_complaint on complaint_feedback (complaint_id);
-- One is judged at a time.
create unique index complaint_feedback_judged on complaint_feedback (complaint_id) where approved is null;

-- An extension is granted once for each handling; one that was not decided ends with it.
alter table complaint_extension add column round integer not null default 0;
alter table complaint_extension alter column round drop default;
drop index complaint_extension_once;
create unique index complaint_extension_once on complaint_extension (complaint_id, round)
    where state <> 'REFUSED';

-- Whoever sees a complaint opens the files that came with it.
create index complaint_attachment_file on complaint_attachment (attachment_id);
