-- A point of a joint meeting may end without anything done, with a reason that stays (measure 19). And
-- what was told goes after its time without a walk through everything that is kept.

alter table meeting_point drop constraint meeting_point_state_known;
alter table meeting_point add constraint meeting_point_state_known
    check (state in ('WAITING', 'LISTED', 'DECIDED', 'SETTLED', 'DROPPED'));
-- A dropped one may have been decided before: who owed it until when stays with it.
alter table meeting_point drop constraint meeting_point_owed;
alter table meeting_point add constraint meeting_point_owed check (
    case when owing_unit_id is null then state not in ('DECIDED', 'SETTLED')
        and owing_path is null and due_day is null
    else state not in ('WAITING', 'LISTED') and owing_path is not null and due_day is not null end);
-- No end without a word on it.
alter table meeting_point add constraint meeting_point_told
    check (state not in ('SETTLED', 'DROPPED') or outcome <> '');

-- One that waits is on no list yet, and is dropped so when what it waits for is concluded without one.
alter table meeting_point drop constraint meeting_point_waits;
alter table meeting_point add constraint meeting_point_waits check (
    case when joint_meeting_id is null then state in ('WAITING', 'DROPPED') else state <> 'WAITING' end);

drop index meeting_point_open_once;
create unique index meeting_point_open_once on meeting_point (subject_id)
    where state not in ('SETTLED', 'DROPPED') and subject_id is not null;

create index notice_read_notice on notice_read (notice_id);
-- What a digest has collected: asked when it was sent, and before it goes.
create index notice_delivery_digest on notice_delivery (digest_id) where digest_id is not null;
