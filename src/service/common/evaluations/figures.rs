//! The figures of the service desk (CO-21): on time, first time, solved, satisfied; as an answer and
//! as a table. A number under three is never told, since it would tell of whom it counts; what covers it
//! is not told either.

use jiff::SignedDuration;

use super::Evaluations;
use crate::{
    context::Cx,
    domain::{
        codes::text,
        common::evaluation::figures::{Figures, Told, told},
        complaint::Category,
    },
    error::{Faults, Flaw, Result},
    service::{pb, wire},
    store::common::evaluations::{self, Grouping},
};

/// The heading of the numbers.
const HEADING: &str = "收件,办结反馈,按期反馈,一次办结,已评价,满意,实际解决";
/// The longest time of which figures are counted: a year, in one call and within its deadline.
const RANGE_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);
/// In the place of a number that is not told.
const NOT_TOLD: &str = "*";

impl Evaluations {
    pub(super) async fn get_service_figures(
        &self,
        cx: &Cx,
        request: pb::GetServiceFiguresRequest,
    ) -> Result<pb::ServiceFigures> {
        let figures = self.figures(cx, &request).await?;
        let told = told(&figures);
        let rows = figures.into_iter().zip(told).map(|(figures, told)| row(figures, told));
        Ok(pb::ServiceFigures { rows: rows.collect() })
    }

    pub(super) async fn export_service_figures(
        &self,
        cx: &Cx,
        request: pb::GetServiceFiguresRequest,
    ) -> Result<pb::ExportServiceFiguresResponse> {
        let figures = self.figures(cx, &request).await?;
        let by_unit = request.grouping() == pb::get_service_figures_request::Grouping::Unit;
        let heading = format!("分组,{}{HEADING}", if by_unit { "单位," } else { "" });
        let told = told(&figures);
        let lines = figures.iter().zip(&told).map(|(figures, told)| line(figures, told, by_unit));
        let lines: Vec<_> = std::iter::once(heading).chain(lines).collect();
        Ok(pb::ExportServiceFiguresResponse { csv: format!("\u{feff}{}\r\n", lines.join("\r\n")) })
    }

    async fn figures(
        &self,
        cx: &Cx,
        request: &pb::GetServiceFiguresRequest,
    ) -> Result<Vec<Figures>> {
        use pb::get_service_figures_request::Grouping as Wire;
        let mut faults = Faults::new();
        let from = faults.take("from_time", wire::instant(request.from_time));
        let until = faults.take("until_time", wire::instant(request.until_time));
        let grouping = match request.grouping() {
            Wire::Unspecified => Err(Flaw::Required),
            Wire::Unit => Ok(Grouping::Unit),
            Wire::Category => Ok(Grouping::Category),
            Wire::Month => Ok(Grouping::Month),
        };
        let grouping = faults.take("grouping", grouping);
        let ordered = from.zip(until).is_none_or(|(from, until)| from < until);
        faults.check(ordered, "until_time", Flaw::OutOfRange);
        let short =
            from.zip(until).is_none_or(|(from, until)| from.duration_until(until) <= RANGE_MAX);
        faults.check(short, "until_time", Flaw::OutOfRange);
        let (from, until, grouping) = faults.whole((from, until, grouping))?;
        let mut connection = self.store.read().await?;
        evaluations::figures(&mut connection, grouping, from, until, &cx.scope()).await
    }
}

fn row(figures: Figures, told: Told) -> pb::service_figures::Row {
    let count = |number: Option<i64>| pb::service_figures::Count {
        value: number.unwrap_or_default(),
        hidden: number.is_none(),
    };
    let [filed, answered, on_time, first_time, rated, satisfied, solved] =
        told.map(|number| Some(count(number)));
    pb::service_figures::Row {
        group: figures.group,
        unit: figures.unit.map(|unit| unit.to_string()).unwrap_or_default(),
        filed,
        answered,
        on_time,
        first_time,
        rated,
        satisfied,
        solved,
    }
}

fn line(figures: &Figures, told: &Told, by_unit: bool) -> String {
    let numbers =
        told.map(|number| number.map_or_else(|| NOT_TOLD.to_owned(), |number| number.to_string()));
    // A category is told by its name; units and months are names already.
    let category = Category::from_wire(&figures.group).filter(|_| !by_unit);
    let group = category.map_or(figures.group.as_str(), |category| category.zh());
    let unit = figures.unit.map(|unit| unit.to_string()).unwrap_or_default();
    let unit = if by_unit { format!("{},", cell(&unit)) } else { String::new() };
    format!("{},{unit}{}", cell(group), numbers.join(","))
}

/// A cell that a spreadsheet reads as text, whatever it begins with: in full width too, behind blanks
/// and behind what nobody sees, all of which some spreadsheets pass over.
fn cell(text: &str) -> String {
    let begins = text::meant(text);
    let formula = begins.trim_start().starts_with(['=', '+', '-', '@', '|', '%', '\u{2212}']);
    let breaks = text.starts_with(['\t', '\r', '\n']);
    let guarded = if formula || breaks { format!("'{text}") } else { text.to_owned() };
    format!("\"{}\"", guarded.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_cell_is_never_a_formula() {
        for begins in
            ["=", "+", "-", "@", "＝", "＋", "－", "＠", "﹢", "\t=", "\u{200b}=", " ＝", "\r"]
        {
            let formula = format!("{begins}1+1");
            assert_eq!(cell(&formula), format!("\"'{formula}\""), "{begins:?}");
        }
        assert_eq!(cell("宿城分局"), "\"宿城分局\"");
        assert_eq!(cell("2026-11"), "\"2026-11\"");
        assert_eq!(cell("a\"b"), "\"a\"\"b\"");
    }
}
