-- Texts that people write. A message is one message however often it is sent again: by its sender, not by
-- the sign-in that it came by. And what redaction reaches: every field of a complaint, and its files.

-- A second row of a message, stored when a resend after a new sign-in was another one. Nothing is ever
-- deleted of a conversation, whose chain would break: the first one answers from now on.
alter table message add column repeated boolean not null default false;
update message set repeated = true
from message first
where first.conversation_id = message.conversation_id and first.sender = message.sender
    and first.client_message_id = message.client_message_id and first.sequence < message.sequence;

alter table message drop constraint message_sent_once;
create unique index message_sent_once on message (conversation_id, sender, client_message_id)
    where not repeated;

-- What a field said before a redaction: every text that a person wrote, and the names of files.
alter table complaint_redaction drop constraint complaint_redaction_field_known;
alter table complaint_redaction add constraint complaint_redaction_field_known check (field in ('TITLE',
    'CONTENT', 'FEEDBACK', 'PLACE', 'CONCLUSION', 'OUTSIDE', 'NOTE', 'COMMENT', 'MESSAGE', 'FILE'));

-- Since when nobody opens it any more; the bytes stay.
alter table attachment add column redact_time timestamptz;
