-- Files of conversations: whoever takes part may bring and read them, nobody else of the unit. And
-- what is kept of a file after it was looked through: its metadata is gone, so that length and
-- digest differ from what the client announced.

alter table attachment add column conversation_id uuid;
alter table attachment add constraint attachment_conversation_fkey
    foreign key (conversation_id) references conversation (id);
alter table attachment add constraint attachment_message_kind
    check ((kind = 'MESSAGE') = (conversation_id is not null));
alter table attachment add column stored_bytes bigint;
alter table attachment add column stored_sha256 bytea;
