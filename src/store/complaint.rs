//! Complaints, what is prepared for them, and joint meetings as rows.

pub mod answer_templates;
pub mod complaint_attachments;
pub mod complaint_policies;
pub mod complaints;
pub mod meetings;
