-- Who is unproven takes nothing from who is real: a registration is a claim until an officer has
-- compared it. Claims of one code stand side by side; the code is unique among those that were
-- verified. And the licence of a claim, which is brought before there is an enterprise.

alter table enterprise drop constraint enterprise_uscc_once;
alter table enterprise drop constraint enterprise_state_known;
alter table enterprise add constraint enterprise_state_known check (state in (
    'PENDING', 'VERIFIED', 'SUSPENDED', 'REJECTED', 'WITHDRAWN', 'LAPSED', 'ANNULLED'));

alter table enterprise
    -- What kind of document the number of the legal representative is.
    add column representative_document text not null default 'RESIDENT_ID',
    -- The business licence; absent where the registration is older than this column.
    add column licence_id uuid,
    -- When a claim lapses.
    add column expire_time timestamptz,
    -- Who compared it first, before it is verified by somebody else.
    add column prepared_by uuid,
    add column prepare_time timestamptz,
    add column prepare_note text not null default '',
    -- Why it ended.
    add column reason_code text,
    add column reason_note text not null default '';

update enterprise set expire_time = now() + interval '7 days' where state = 'PENDING';

alter table enterprise add constraint enterprise_document_known check (representative_document in (
    'RESIDENT_ID', 'PASSPORT', 'HOME_RETURN_PERMIT', 'TAIWAN_PERMIT', 'PERMANENT_RESIDENCE'));
alter table enterprise add constraint enterprise_claim_lapses
    check ((state = 'PENDING') = (expire_time is not null));
alter table enterprise add constraint enterprise_prepared_whole
    check ((prepared_by is null) = (prepare_time is null));
alter table enterprise add constraint enterprise_preparer_fkey
    foreign key (prepared_by) references officer (id);
-- A licence is bound to the enterprise that names it, in the transaction that makes both.
alter table enterprise add constraint enterprise_licence_fkey
    foreign key (id, licence_id) references attachment (enterprise_id, id)
    deferrable initially deferred;

create unique index enterprise_verified_once on enterprise (uscc)
    where state in ('VERIFIED', 'SUSPENDED');
-- Nobody claims the same thing twice; and how many claims a person has open.
create unique index enterprise_claimed_once on enterprise (applicant_id, uscc)
    where state = 'PENDING';
create index enterprise_rivals on enterprise (uscc) where state = 'PENDING';
create index enterprise_lapsing on enterprise (expire_time) where state = 'PENDING';

-- A licence is the claimer's own until it is bound.
alter table attachment alter column enterprise_id drop not null;
alter table attachment add column person_id uuid;
alter table attachment add constraint attachment_person_fkey
    foreign key (person_id) references person (id);
alter table attachment add constraint attachment_owned
    check (enterprise_id is not null or person_id is not null);
alter table attachment add constraint attachment_licence_kind
    check ((kind = 'BUSINESS_LICENCE') = (person_id is not null));
create index attachment_person on attachment (person_id) where person_id is not null;
