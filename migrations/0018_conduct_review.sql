-- A reporter with a name who does not agree with the finding asks once for a review (复核; facts.md, 4.2):
-- the report opens again for somebody who had nothing to do with it. The first finding is kept beside the
-- second. And a reporter, with a name or without, may add pictures.

alter table conduct.report
    -- Who assigned it before: they do not investigate the review.
    add column past_assigners uuid[] not null default '{}',
    -- Why a review was asked for, and when.
    add column review_reason_sealed bytea,
    add column review_time timestamptz,
    add constraint report_review_whole check ((review_time is null) = (review_reason_sealed is null)),
    -- An anonymous reporter is owed no result (facts.md, 4.5).
    add constraint report_review_named check (review_time is null or real_name);

-- Every finding, in order.
create table conduct.conclusion (
    id uuid not null,
    report_id uuid not null,
    position integer not null,
    finding text not null,
    result_sealed bytea not null,
    -- Whether it was found by whom the report went upward to.
    upward boolean not null,
    officer_id uuid not null,
    create_time timestamptz not null,
    constraint conclusion_pkey primary key (id),
    constraint conclusion_in_order unique (report_id, position),
    -- One investigation, and one review.
    constraint conclusion_twice check (position between 1 and 2),
    constraint conclusion_by_another unique (report_id, officer_id),
    constraint conclusion_finding_known check
        (finding in ('SUBSTANTIATED', 'PARTLY_SUBSTANTIATED', 'UNSUBSTANTIATED')),
    constraint conclusion_report_fkey foreign key (report_id) references conduct.report (id)
);
create trigger conclusion_is_kept before update or delete on conduct.conclusion
    for each row execute function refuse_rewrite();

-- What was found before there was this list. Who concluded upward has investigated.
insert into conduct.conclusion (id, report_id, position, finding, result_sealed, upward, officer_id,
    create_time)
select gen_random_uuid(), report.id, 1, report.finding, report.result_sealed,
    change.from_state = 'TRANSFERRED_UP', split_part(change.actor, '/', 2)::uuid, change.create_time
from conduct.report join conduct.change on change.report_id = report.id
where report.state = 'CONCLUDED' and change.action = 'CONCLUDE' and report.finding is not null;
update conduct.report
set past_investigators = past_investigators || conclusion.officer_id
from conduct.conclusion
where conclusion.report_id = report.id and conclusion.upward;

-- A review has its own limit.
alter table conduct.duty
    drop constraint duty_kind_known,
    add constraint duty_kind_known check (kind in ('ACCEPT', 'ASSIGN', 'SIGN', 'HANDLE', 'REVIEW'));

-- Pictures that a reporter added. Neither a file name nor the length or digest of what came is kept: who
-- has the original could be found by them. The bytes lie sealed beside the attachments, under this id.
create table conduct.evidence (
    id uuid not null,
    report_id uuid not null,
    content_type text not null,
    -- How much has come; absent once that was taken away.
    received_bytes bigint,
    -- How much is kept; absent until it was cleaned.
    kept_bytes bigint,
    create_time timestamptz not null,
    constraint evidence_pkey primary key (id),
    constraint evidence_type_known check (content_type in ('image/jpeg', 'image/png')),
    constraint evidence_somewhere check (received_bytes is not null or kept_bytes is not null),
    constraint evidence_report_fkey foreign key (report_id) references conduct.report (id)
);
create index evidence_report on conduct.evidence (report_id);
create index evidence_left_over on conduct.evidence (create_time) where received_bytes is not null;

-- Who opened a piece of it: among the openings of names, without a reason.
alter table conduct.opening
    add column evidence_id uuid,
    add constraint opening_evidence_fkey foreign key (evidence_id) references conduct.evidence (id),
    add constraint opening_reasoned check (evidence_id is not null or reason <> '');
create index opening_evidence on conduct.opening (evidence_id, officer_id, create_time)
    where evidence_id is not null;

-- What `conduct.barred` and `conduct.sees` say of one report, for all of them at once: asked for each row of
-- a list they took a third of a second for a thousand reports that the reader must not see.
create function conduct.kept_from(reader uuid) returns setof uuid language sql stable as $$
    select report_id from conduct.accused where officer_id = reader
    union all
    select report_id from conduct.interest where officer_id = reader
    union all
    select concerned.report_id from conduct.concerned, officer join unit on unit.id = officer.unit_id
    where officer.id = reader and starts_with(unit.path, concerned.path)
    union all
    select id from conduct.report
    where not exists (select from officer where id = reader and disable_time is null)
$$;

create function conduct.seen_by(reader uuid, reach text) returns setof uuid language sql stable as $$
    select id from conduct.report
    where not exists (select from officer where id = reader and 'LIAISON_OFFICER' = any(roles))
        and id not in (select kept from conduct.kept_from(reader) as kept)
        and id not in (select report_id from conduct.concerned where not starts_with(path, reach))
        and (id not in (
                select report_id from conduct.accused where officer_id is null and unit_id is null)
            or not exists (
                select from unit where parent_id is null and not starts_with(path, reach)))
$$;
