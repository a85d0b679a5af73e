-- A class is granted to an enterprise once for a time: a second grant over the same days would count twice
-- and outlive the ending of the first.

-- Of what was granted twice before, what another grant covers whole ends before it begins, and what another
-- one goes on from ends where that one begins: no day is added, none is lost.
do $$
declare
    one record;
    held record;
begin
    for one in
        select id, enterprise_id, class, valid_from, least(valid_until, end_time) as valid_until
        from class_grant
        where valid_from < least(valid_until, end_time)
        order by enterprise_id, class, valid_from, least(valid_until, end_time) desc, id
    loop
        if held is not null and held.enterprise_id = one.enterprise_id and held.class = one.class
            and one.valid_from < held.valid_until then
            if one.valid_until <= held.valid_until then
                update class_grant set end_time = valid_from where id = one.id;
                continue;
            end if;
            update class_grant set end_time = one.valid_from where id = held.id;
        end if;
        held := one;
    end loop;
end
$$;

alter table class_grant add constraint class_grant_once exclude using gist (
    enterprise_id with =, class with =,
    tstzrange(valid_from, greatest(valid_from, least(valid_until, end_time))) with &&);
