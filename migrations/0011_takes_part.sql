-- The same question as before, asked of a function whose plan a connection keeps: one in SQL with
-- subqueries is planned anew in every statement, which cost more than the message itself.

create or replace function takes_part(conversation uuid, enterprise uuid, post uuid, person uuid,
    officer uuid, at timestamptz) returns boolean language plpgsql stable parallel safe as $$
begin
    if person is not null then
        return exists (
            select from conversation_member
            where conversation_id = conversation and person_id = person and leave_time is null
        ) and exists (
            select from member
            where enterprise_id = enterprise and person_id = person and end_time is null
                and (valid_until is null or valid_until > at)
                and (role = 'LEGAL_REPRESENTATIVE' or 'LIAISON' = any (scope))
        );
    end if;
    return officer is not null and exists (
        select from liaison_roster
        where liaison_post_id = post and officer_id = officer and end_time is null
    );
end
$$;
