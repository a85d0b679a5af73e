//! How complaints of a category are handled: limits, lengths, extension. Dated rows say it; these are
//! the values where no row speaks (facts.md, 4.2).

use jiff::Timestamp;

use crate::{
    actor::{Role, Roles},
    domain::duty::{
        calendar::{Calendar, Limit},
        obligation::Limits,
    },
    error::{Error, Flaw, Reason, Result},
    named::named,
};

named! {
/// What the enterprise wants.
Category {
    /// Help at once.
    Urgent = "URGENT", "紧急";
    /// Advice.
    Consultation = "CONSULTATION", "咨询";
    /// Help.
    Help = "HELP", "求助";
    /// Better service.
    Complaint = "COMPLAINT", "投诉";
    /// Something new.
    Suggestion = "SUGGESTION", "建议";
}
}

named! {
/// What must be given beside title and content, where the rules of a category ask for it.
Needed {
    /// At least one file.
    Attachment = "ATTACHMENT", "附件";
    /// Where it happened.
    Place = "PLACE", "地点";
}
}

/// The working days that all extensions together may add.
pub const TOTAL_DAYS_MAX: i32 = 25;
/// An extension is asked for at least so long before the end: one working day.
const ASK_BEFORE: Limit = Limit::WorkingDays(1);

/// What the law allows for a petition: 60 days from its acceptance (信访工作条例, art. 34).
const PETITION_LEGAL: Limit = Limit::CalendarDays(60);

/// How complaints of a category are handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// For taking it in or refusing it, from the filing.
    pub accept: Limit,
    /// For naming the unit, from the acceptance or the return.
    pub assign: Limit,
    /// For signing, from the assignment.
    pub sign: Limit,
    /// For the whole handling, from the acceptance.
    pub handle: Limit,
    /// What the law allows for it at most, where it says so.
    pub handle_legal: Option<Limit>,
    /// What the unit sets itself for it, where it does.
    pub handle_internal: Option<Limit>,
    /// For judging the feedback.
    pub review: Limit,
    /// For a second handling, from the evaluation.
    pub redo: Limit,
    /// The most working days that an extension may add.
    pub extension_days_max: i32,
    /// The shortest answer, in characters.
    pub answer_characters_min: usize,
    /// What whoever files must give.
    pub needed: Vec<Needed>,
    /// Who may take it in, refuse, transfer, merge and assign it.
    pub intake: Roles,
    /// Who may judge an answer, and decide on an extension.
    pub reviewers: Roles,
}

impl Rules {
    /// The values where no dated row speaks.
    #[must_use]
    pub const fn standard(category: Category) -> Self {
        let handle = match category {
            Category::Urgent => Limit::NaturalHours(24),
            Category::Consultation => Limit::WorkingDays(3),
            Category::Help | Category::Complaint | Category::Suggestion => Limit::WorkingDays(5),
        };
        // What is urgent within a day cannot wait a day for its acceptance.
        let urgent = matches!(category, Category::Urgent);
        let step = if urgent { Limit::NaturalHours(2) } else { Limit::WorkingDays(1) };
        let sign = if urgent { Limit::NaturalHours(2) } else { Limit::WorkingHours(4) };
        Self {
            accept: step,
            assign: step,
            sign,
            handle,
            handle_legal: Some(PETITION_LEGAL),
            handle_internal: a_day_before(handle),
            review: step,
            redo: Limit::WorkingDays(5),
            extension_days_max: 5,
            answer_characters_min: 10,
            needed: Vec::new(),
            intake: Roles::of(&[Role::Assigner]),
            reviewers: Roles::of(&[Role::Assigner]),
        }
    }

    /// The three limits of the handling, which must fit together (SD-03).
    pub fn handling(&self) -> Result<Limits, Flaw> {
        Limits::new(self.handle_legal, Some(self.handle), self.handle_internal)
    }

    /// The three limits of a second handling: a promise that is longer than the law is none.
    pub fn redoing(&self) -> Result<Limits, Flaw> {
        Limits::new(self.handle_legal, Some(self.redo), a_day_before(self.redo))
    }
}

/// What a unit sets itself: a working day before the promise, where there are two at least.
#[must_use]
pub const fn a_day_before(promised: Limit) -> Option<Limit> {
    match promised {
        Limit::WorkingDays(days) if days >= 2 => Some(Limit::WorkingDays(days - 1)),
        _ => None,
    }
}

/// A limit as it is stored, `WORKING_DAYS:3`.
#[must_use]
pub fn limit_text(limit: Limit) -> String {
    format!("{}:{}", limit.unit(), limit.amount())
}

/// Reads what [`limit_text`] wrote; a limit of nothing is none.
pub fn limit(text: &str) -> Result<Limit, Flaw> {
    if text.is_empty() {
        return Err(Flaw::Required);
    }
    let (unit, amount) = text.split_once(':').ok_or(Flaw::UnknownValue)?;
    let amount = amount.parse().map_err(|_| Flaw::OutOfRange)?;
    let limit = Limit::from_wire(unit, amount).ok_or(Flaw::UnknownValue)?;
    if (1..=400).contains(&amount) { Ok(limit) } else { Err(Flaw::OutOfRange) }
}

/// Refuses an extension of a handling that is asked for too late, or too long (facts.md, 4.2): `asked`
/// working days where `most` may be added.
pub fn may_extend(
    handle: Limit,
    (asked, most): (i32, i32),
    calendar: &Calendar,
    due: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let handle = match handle {
        Limit::WorkingDays(days) => i32::try_from(days).unwrap_or(TOTAL_DAYS_MAX),
        _ => 1,
    };
    let total = handle.saturating_add(asked);
    if !(1..=most).contains(&asked) || total > TOTAL_DAYS_MAX {
        return Err(Error::field("days", Flaw::OutOfRange));
    }
    // At least a working day before the end: the day after today ends before the due time.
    let soonest = calendar.due(now, ASK_BEFORE)?;
    if soonest.at > due { Err(Error::new(Reason::ExtensionTooLate)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Category, Rules, limit, limit_text, may_extend};
    use crate::{
        domain::duty::calendar::{Calendar, Limit},
        error::{Flaw, Reason},
    };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    // CO-02: the limits of facts 4.2.
    #[test]
    fn the_standard_limits_are_those_of_the_facts() {
        let handle = |category| limit_text(Rules::standard(category).handle);
        assert_eq!(handle(Category::Urgent), "NATURAL_HOURS:24");
        assert_eq!(handle(Category::Consultation), "WORKING_DAYS:3");
        for category in [Category::Help, Category::Complaint, Category::Suggestion] {
            assert_eq!(handle(category), "WORKING_DAYS:5");
        }
        assert_eq!(Rules::standard(Category::Help).sign, Limit::WorkingHours(4));
    }

    // SD-03: the office's own limit before the promise, the promise within the law.
    #[test]
    fn the_standard_limits_fit_together() {
        for category in Category::ALL {
            let rules = Rules::standard(*category);
            rules.handling().unwrap();
            rules.redoing().unwrap();
            assert_eq!(rules.handle_legal, Some(Limit::CalendarDays(60)));
        }
        let internal = |category| Rules::standard(category).handle_internal;
        assert_eq!(internal(Category::Urgent), None);
        assert_eq!(internal(Category::Consultation), Some(Limit::WorkingDays(2)));
        assert_eq!(internal(Category::Complaint), Some(Limit::WorkingDays(4)));
    }

    #[test]
    fn a_limit_is_read_as_it_was_written() {
        for text in ["WORKING_DAYS:3", "NATURAL_HOURS:24", "MONTHS:1"] {
            assert_eq!(limit_text(limit(text).unwrap()), text);
        }
        assert_eq!(limit(""), Err(Flaw::Required));
        assert_eq!(limit("WORKING_DAYS"), Err(Flaw::UnknownValue));
        assert_eq!(limit("WEEKS:1"), Err(Flaw::UnknownValue));
        assert_eq!(limit("WORKING_DAYS:0"), Err(Flaw::OutOfRange));
    }

    #[test]
    fn an_extension_is_asked_for_a_working_day_before_the_end() {
        let calendar = Calendar::published();
        let handle = Rules::standard(Category::Help).handle;
        let due = at("2026-11-28T00:00:00+08:00");
        may_extend(handle, (5, 5), &calendar, due, at("2026-11-26T23:00:00+08:00")).unwrap();
        let late = may_extend(handle, (5, 5), &calendar, due, at("2026-11-27T00:00:00+08:00"));
        assert_eq!(late.unwrap_err().reason(), Reason::ExtensionTooLate);
        for days in [0, 6] {
            let long =
                may_extend(handle, (days, 5), &calendar, due, at("2026-11-24T00:00:00+08:00"));
            assert_eq!(long.unwrap_err().fields()[0].flaw, Flaw::OutOfRange);
        }
    }

    #[test]
    fn a_year_without_a_notice_is_counted_provisionally() {
        let calendar = Calendar::published();
        let event = at("2026-12-30T09:00:00+08:00");
        let due = calendar.due(event, Limit::WorkingDays(5)).unwrap();
        assert!(due.provisional);
        assert_eq!(due.at, at("2027-01-07T00:00:00+08:00"));
        let due = calendar.due(event, Limit::WorkingDays(1)).unwrap();
        assert!(!due.provisional);
    }
}
