-- Reads are as narrow as writes: what a post serves, who brought a file, and who of the police read
-- what, and why.

-- The enterprises that the posts of an officer serve: bound to them, of their districts, or of their
-- industries. In one place, for every list and every single read.
create function served_by(serving uuid) returns setof uuid language sql stable parallel safe as $$
    select liaison_binding.enterprise_id
    from liaison_roster
    join liaison_binding on liaison_binding.liaison_post_id = liaison_roster.liaison_post_id
        and liaison_binding.end_time is null
    where liaison_roster.officer_id = serving and liaison_roster.end_time is null
    union
    select enterprise.id
    from liaison_roster
    join liaison_post on liaison_post.id = liaison_roster.liaison_post_id
    cross join unnest(liaison_post.districts) as district
    join enterprise on enterprise.division_code = district
    where liaison_roster.officer_id = serving and liaison_roster.end_time is null
    union
    select enterprise.id
    from liaison_roster
    join liaison_post on liaison_post.id = liaison_roster.liaison_post_id
    cross join unnest(liaison_post.industries) as branch
    join enterprise on enterprise.industry = branch and enterprise.industry <> ''
    where liaison_roster.officer_id = serving and liaison_roster.end_time is null
$$;
create index enterprise_division on enterprise (division_code);
create index enterprise_industry on enterprise (industry) where industry <> '';

-- Whether an officer works on a complaint: handles it or did, filed it for the enterprise, or is to
-- handle what is assigned to the own unit, which is given for a handler alone.
create function works_on(officer uuid, unit uuid, handler uuid, handled uuid[], lead uuid,
    helpers text[], filer text) returns boolean language sql stable parallel safe as $$
    select officer is not null and (officer = handler or officer = any(handled)
        or filer = 'officers/' || officer or unit = lead
        or exists (select from unit helping
            where helping.id = works_on.unit and helping.path = any(helpers)))
$$;

-- Who brought a file (`creator`): until something is filed with it, it is nobody else's to read. Empty where it
-- came before this was kept.
create index pass_application_attachment_paper on pass_application_attachment (attachment_id);

-- Besides supervised conversations: a file of the police opened with a reason, and each reading of a
-- paper, of whereabouts, or of what was said in a conversation. The object is a resource name.
alter table content_access add column subject text not null default '';
alter table content_access drop constraint content_access_action_known;
alter table content_access add constraint content_access_action_known
    check (action in ('INSPECT', 'SEARCH', 'EXPORT', 'READ_REDACTED', 'OPEN', 'READ_PAPER',
        'READ_CHECKS', 'READ_TRANSCRIPT'));
alter table content_access add constraint content_access_subject_named
    check (action not in ('OPEN', 'READ_PAPER', 'READ_TRANSCRIPT') or subject <> '');
create index content_access_open on content_access (officer_id, id) where action = 'OPEN';
create index content_access_reader on content_access (officer_id, subject, action, create_time);

-- A handler reads the invitations of the own items alone: one walk for each collection.
create index evaluation_item on evaluation (enterprise_id, collection, id);
create index evaluation_item_state on evaluation (enterprise_id, collection, state, id);
drop index evaluation_enterprise;
drop index evaluation_enterprise_state;

-- The proposals alone, for who decides about them.
create index pass_check_action_proposed on pass_check_action (pass_check_id)
    where propose_revocation;
