-- What gives power takes two: one proposes it (经办), another one confirms it (复核), and only then is it
-- done, in the transaction of the confirmation. The steps of a proposal stand in `change`, like all others.
-- The inspectorate's own acts are not here: nothing outside its schema may point into it.
create table proposal (
    id uuid not null,
    act text not null,
    -- A resource name: what it is about.
    subject text not null,
    -- Whose matter it is: the unit in whose subtree it is listed and confirmed.
    unit_path text not null,
    -- The exact request, as protobuf, sealed, and what it must be equal to.
    request_sealed bytea not null,
    request_digest bytea not null,
    -- What is shown to whoever confirms, line by line, as it was when it was proposed.
    shown text[] not null,
    reason text not null,
    state text not null,
    maker_id uuid not null,
    -- What the maker was then: an administrator's act is confirmed by one of another kind.
    maker_roles text[] not null,
    checker_id uuid,
    checker_note text not null,
    -- Why it had to take effect before the next day, where a leader said so.
    at_once_reason text not null,
    -- When it takes effect, once it is confirmed.
    effective_time timestamptz,
    create_time timestamptz not null,
    lapse_time timestamptz not null,
    decide_time timestamptz,
    version bigint not null,
    constraint proposal_pkey primary key (id),
    constraint proposal_act_known check (act in ('GRANT_ROLE', 'RESET_CREDENTIALS',
        'PUBLISH_PASS_POLICY', 'PUBLISH_ZONE', 'SET_QUOTA', 'SET_SPECIAL_PERIOD', 'IMPORT_CALENDAR',
        'PUBLISH_COMPLAINT_POLICY')),
    constraint proposal_state_known check
        (state in ('PROPOSED', 'CONFIRMED', 'DECLINED', 'WITHDRAWN', 'LAPSED')),
    -- Four eyes, whatever the program says; and nobody confirms what is about oneself.
    constraint proposal_four_eyes check (checker_id <> maker_id),
    constraint proposal_not_oneself check (subject <> 'officers/' || checker_id),
    constraint proposal_checked check ((state in ('CONFIRMED', 'DECLINED')) = (checker_id is not null)),
    constraint proposal_decided check ((state = 'PROPOSED') = (decide_time is null)),
    constraint proposal_lapses check (lapse_time > create_time),
    constraint proposal_maker_fkey foreign key (maker_id) references officer (id),
    constraint proposal_checker_fkey foreign key (checker_id) references officer (id)
);
-- One at a time of one act and one thing.
create unique index proposal_open_once on proposal (act, subject) where state = 'PROPOSED';
create index proposal_newest on proposal (id desc);
create index proposal_maker on proposal (maker_id, id);
create index proposal_lapse on proposal (lapse_time) where state = 'PROPOSED';

-- What was proposed and decided is never altered but for the decision itself.
create function refuse_another_proposal() returns trigger language plpgsql as $$
begin
    if old.state <> 'PROPOSED' or (old.id, old.act, old.subject, old.request_digest, old.maker_id, old.shown)
        is distinct from (new.id, new.act, new.subject, new.request_digest, new.maker_id, new.shown) then
        raise exception 'a proposal is never rewritten' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
create trigger proposal_is_kept before update on proposal
    for each row execute function refuse_another_proposal();
create trigger proposal_stays before delete on proposal
    for each row execute function refuse_rewrite();
