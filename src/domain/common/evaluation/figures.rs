//! The figures of the service desk (CO-21), and what of them may be told. One and two are not: they would
//! tell of whom they count (facts.md, 4.5). Nor is whatever would give them away: the sum of a column is
//! known, since it is the same by unit, by category and by month, and a part is never more than its
//! whole. No rule of who may ask.

use crate::id::{Id, kind};

/// A number under this is not told, unless it is zero.
const TOLD_MIN: i64 = 3;
/// How many numbers a row has.
const COLUMNS: usize = 7;
/// Pairs of columns of which the second counts a part of the first.
const PARTS: [(usize, usize); 6] = [(0, 1), (1, 2), (1, 3), (0, 4), (4, 5), (4, 6)];

/// The figures of a unit, a category or a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// The unit, where the row is about one. Two units may have the same name.
    pub unit: Option<Id<kind::Unit>>,
    /// What the row is about: a unit's name, a category, `2026-11`.
    pub group: String,
    /// Complaints filed.
    pub filed: i64,
    /// Of them with an answer given.
    pub answered: i64,
    /// Of the answered ones in time.
    pub on_time: i64,
    /// Of the answered ones never handled a second time.
    pub first_time: i64,
    /// Of the filed ones evaluated, silence left out.
    pub rated: i64,
    /// Of the rated ones at least basically satisfied.
    pub satisfied: i64,
    /// Of the rated ones solved.
    pub solved: i64,
}

impl Figures {
    /// The numbers, in the order of the table and of `PARTS`.
    const fn numbers(&self) -> Numbers {
        [
            self.filed,
            self.answered,
            self.on_time,
            self.first_time,
            self.rated,
            self.satisfied,
            self.solved,
        ]
    }
}

type Numbers = [i64; COLUMNS];

/// What is told of a row, in the order of the table: `None` where a number is kept back. Which of those
/// are small, and which only cover a small one, cannot be seen.
pub type Told = [Option<i64>; COLUMNS];

/// What is told of the rows of a table, row by row.
///
/// A number that is kept back is safe when the same table could stand for another world, in which it is
/// another number and everything that is told is the same. Where there is no such world, the least is
/// kept back that makes one.
#[must_use]
pub fn told(rows: &[Figures]) -> Vec<Told> {
    let mut table = Table::of(rows.iter().map(Figures::numbers).collect());
    while let Some(cell) = table.given_away() {
        if let Some(cover) = table.least_cover(cell) {
            cover.cells().for_each(|cell| table.hide(cell));
        } else if let Some(column) = table.next_blank(cell.column) {
            table.blank(column);
        } else {
            break;
        }
    }
    table.told()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    row: usize,
    column: usize,
}

/// Columns, one bit each.
type Columns = u8;

const fn bit(column: usize) -> Columns {
    1 << column
}

fn each(columns: Columns) -> impl Iterator<Item = usize> {
    (0..COLUMNS).filter(move |column| columns & bit(*column) != 0)
}

/// What is known of a column.
#[derive(Debug, Clone, Copy, Default)]
struct Column {
    /// Some grouping tells it, or that it is one or two.
    sum: i64,
    /// Nothing of it is told, not even zeros.
    blank: bool,
}

impl Column {
    const fn sum_is_told(self) -> bool {
        self.sum >= TOLD_MIN
    }
}

/// A table of which some cells are kept back.
struct Table {
    rows: Vec<Numbers>,
    hidden: Vec<Columns>,
    columns: [Column; COLUMNS],
}

/// Another world: one more in these columns of a row, one less in those of another.
#[derive(Debug, Clone, Copy)]
struct Shift {
    gainer: Option<usize>,
    more: Columns,
    loser: Option<usize>,
    less: Columns,
}

impl Shift {
    /// The cells that differ.
    fn cells(self) -> impl Iterator<Item = Cell> {
        let of = |row: Option<usize>, columns| {
            row.into_iter()
                .flat_map(move |row| each(columns).map(move |column| Cell { row, column }))
        };
        of(self.gainer, self.more).chain(of(self.loser, self.less))
    }
}

impl Table {
    /// The table with its small numbers kept back.
    fn of(rows: Vec<Numbers>) -> Self {
        let small = |number: &i64| (1..TOLD_MIN).contains(number);
        let hidden = |row: &Numbers| {
            let columns = row.iter().enumerate().filter(|(_, number)| small(number));
            columns.fold(0, |hidden, (column, _)| hidden | bit(column))
        };
        let mut columns = [Column::default(); COLUMNS];
        for (at, column) in columns.iter_mut().enumerate() {
            column.sum = rows.iter().filter_map(|row| row.get(at)).sum();
        }
        Self { hidden: rows.iter().map(hidden).collect(), rows, columns }
    }

    fn number(&self, cell: Cell) -> i64 {
        self.rows.get(cell.row).and_then(|row| row.get(cell.column)).copied().unwrap_or_default()
    }

    fn column(&self, column: usize) -> Column {
        self.columns.get(column).copied().unwrap_or_default()
    }

    fn is_hidden(&self, cell: Cell) -> bool {
        self.hidden.get(cell.row).is_some_and(|hidden| hidden & bit(cell.column) != 0)
    }

    fn hide(&mut self, cell: Cell) {
        if let Some(hidden) = self.hidden.get_mut(cell.row) {
            *hidden |= bit(cell.column);
        }
    }

    /// The column of which nothing is told where no number is large enough to cover another: the same
    /// one, then those that it is a whole or a part of, then any. Zeros are as good a cover as any, but
    /// where there is nothing else.
    fn next_blank(&self, column: usize) -> Option<usize> {
        let related = PARTS.iter().filter_map(move |&(whole, part)| match column {
            _ if column == whole => Some(part),
            _ if column == part => Some(whole),
            _ => None,
        });
        let mut columns = std::iter::once(column).chain(related).chain(0..COLUMNS);
        columns.find(|it| !self.column(*it).blank && self.column(*it).sum > 0)
    }

    fn blank(&mut self, column: usize) {
        self.hidden.iter_mut().for_each(|hidden| *hidden |= bit(column));
        if let Some(column) = self.columns.get_mut(column) {
            column.blank = true;
        }
    }

    fn told(&self) -> Vec<Told> {
        let told = |(row, numbers): (usize, &Numbers)| {
            let mut told = numbers.map(Some);
            for (column, number) in told.iter_mut().enumerate() {
                number.take_if(|_| self.is_hidden(Cell { row, column }));
            }
            told
        };
        self.rows.iter().enumerate().map(told).collect()
    }

    /// A number that is kept back and can be computed all the same.
    fn given_away(&self) -> Option<Cell> {
        let cells = (0..self.rows.len())
            .flat_map(|row| (0..COLUMNS).map(move |column| Cell { row, column }));
        let safe =
            |cell| self.shifts(cell).any(|shift| shift.cells().all(|cell| self.is_hidden(cell)));
        cells.filter(|cell| self.is_hidden(*cell)).find(|cell| !safe(*cell))
    }

    /// The world with another number in the cell for which the least more is kept back: the fewest
    /// numbers, of them the smallest.
    fn least_cover(&self, cell: Cell) -> Option<Shift> {
        self.shifts(cell).min_by_key(|shift| {
            let more = shift.cells().filter(|cell| !self.is_hidden(*cell));
            more.fold((0, 0), |(cells, sum), cell| (cells + 1, sum + self.number(cell)))
        })
    }

    /// The worlds that differ by one in the cell, and as little as possible elsewhere.
    fn shifts(&self, cell: Cell) -> impl Iterator<Item = Shift> {
        let others = (0..self.rows.len()).filter(move |row| *row != cell.row).map(Some);
        std::iter::once(None).chain(others).flat_map(move |other| {
            let (here, there) = (Some(cell.row), other);
            let up = Shift { gainer: here, more: bit(cell.column), loser: there, less: 0 };
            let down = Shift { gainer: there, more: 0, loser: here, less: bit(cell.column) };
            [up, down].into_iter().filter_map(|shift| self.possible(shift))
        })
    }

    /// The shift with whatever follows from it, so that sums stay and no part is more than its whole;
    /// `None` when a number would have to change that cannot.
    fn possible(&self, mut shift: Shift) -> Option<Shift> {
        let at =
            |row: Option<usize>, column| row.map_or(0, |row| self.number(Cell { row, column }));
        loop {
            let before = (shift.more, shift.less);
            let moved = each(shift.more | shift.less);
            let told = moved.filter(|column| self.column(*column).sum_is_told());
            let told = told.fold(0, |columns, column| columns | bit(column));
            shift.more |= told;
            shift.less |= told;
            for (whole, part) in PARTS {
                let full = |row| at(row, part) >= at(row, whole);
                if shift.more & bit(part) != 0 && full(shift.gainer) {
                    shift.more |= bit(whole);
                }
                if shift.less & bit(whole) != 0 && full(shift.loser) {
                    shift.less |= bit(part);
                }
            }
            if before == (shift.more, shift.less) {
                break;
            }
        }
        // A small sum is not told, and who reads knows that it is one or two.
        let possible = |column, sum| {
            shift.more & shift.less & bit(column) != 0
                || self.column(column).sum_is_told()
                || (1..TOLD_MIN).contains(&sum)
        };
        let least = |column: usize| i64::from(!self.column(column).blank);
        let gains = each(shift.more).all(|column| {
            possible(column, self.column(column).sum + 1)
                && at(shift.gainer, column) >= least(column)
        });
        let loses = each(shift.less).all(|column| {
            possible(column, self.column(column).sum - 1) && at(shift.loser, column) > least(column)
        });
        let alone = (shift.gainer.is_none() && shift.more != 0)
            || (shift.loser.is_none() && shift.less != 0);
        (gains && loses && !alone).then_some(shift)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{COLUMNS, Figures, Numbers, PARTS, TOLD_MIN, Table, Told, told};

    fn row(numbers: Numbers) -> Figures {
        let [filed, answered, on_time, first_time, rated, satisfied, solved] = numbers;
        let group = String::new();
        Figures {
            unit: None,
            group,
            filed,
            answered,
            on_time,
            first_time,
            rated,
            satisfied,
            solved,
        }
    }

    /// What is told of a table whose rows have one number only.
    fn filed<const N: usize>(numbers: [i64; N]) -> [Option<i64>; N] {
        let rows: Vec<_> = numbers.iter().map(|&number| row([number, 0, 0, 0, 0, 0, 0])).collect();
        let mut all = told(&rows).into_iter();
        numbers.map(|_| all.next().unwrap()[0])
    }

    /// What somebody works out who has a table, and the sum of each column or that it is one or two: the
    /// least and the most that every number can be.
    fn worked_out(told: &[Told], sums: Numbers) -> Vec<[(i64, i64); COLUMNS]> {
        let mut known: Vec<_> =
            told.iter().map(|row| row.map(|it| it.map_or((0, 1_000), |it| (it, it)))).collect();
        for column in 0..COLUMNS {
            // Zeros are told, unless nothing of a column is.
            if told.iter().any(|row| row[column].is_some()) {
                for row in known.iter_mut().filter(|row| row[column].1 > row[column].0) {
                    row[column].0 = 1;
                }
            }
        }
        loop {
            let before = known.clone();
            for row in &mut known {
                for (whole, part) in PARTS {
                    row[part].1 = row[part].1.min(row[whole].1);
                    row[whole].0 = row[whole].0.max(row[part].0);
                }
            }
            for column in 0..COLUMNS {
                for at in 0..known.len() {
                    let others = known.iter().enumerate().filter(|(other, _)| *other != at);
                    let (least, most) = others
                        .map(|(_, row)| row[column])
                        .fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
                    let told = sums[column] >= TOLD_MIN || sums[column] == 0;
                    let sum = if told { (sums[column], sums[column]) } else { (1, TOLD_MIN - 1) };
                    let cell = &mut known[at][column];
                    cell.0 = cell.0.max(sum.0 - most);
                    cell.1 = cell.1.min(sum.1 - least);
                }
            }
            if known == before {
                return known;
            }
        }
    }

    /// The hidden numbers that somebody works out.
    fn given_away(rows: &[Figures], told: &[Told]) -> usize {
        let mut sums = [0; COLUMNS];
        for row in rows {
            sums.iter_mut().zip(row.numbers()).for_each(|(sum, number)| *sum += number);
        }
        let known = worked_out(told, sums);
        let cells = told.iter().flatten().zip(known.iter().flatten());
        cells.filter(|(told, (least, most))| told.is_none() && least == most).count()
    }

    fn rows() -> impl Strategy<Value = Vec<Figures>> {
        let part = |of: i64| prop_oneof![0..=of, Just(of)];
        let one = (0_i64..9)
            .prop_flat_map(move |filed| (Just(filed), part(filed), part(filed)))
            .prop_flat_map(move |(filed, answered, rated)| {
                let (on_time, first_time) = (part(answered), part(answered));
                let of_rated = (part(rated), part(rated));
                (Just((filed, answered, rated)), on_time, first_time, of_rated)
            })
            .prop_map(|((filed, answered, rated), on_time, first_time, (satisfied, solved))| {
                row([filed, answered, on_time, first_time, rated, satisfied, solved])
            });
        prop::collection::vec(one, 1..7)
    }

    #[test]
    fn one_and_two_are_not_told_and_zero_is() {
        assert_eq!(filed([2]), [None]);
        assert_eq!(filed([0, 3]), [Some(0), Some(3)]);
    }

    #[test]
    fn the_next_smallest_covers_what_a_sum_would_give_away() {
        assert_eq!(filed([1, 9, 4, 0]), [None, Some(9), None, Some(0)]);
        assert_eq!(filed([1, 2, 5]), [None, None, Some(5)], "three might be two and one");
        assert_eq!(filed([1, 1, 5]), [None, None, None], "two can only be one and one");
        assert_eq!(filed([1, 1, 1]), [None, None, None], "as by month, where three are told");
        assert_eq!(filed([1, 1, 1, 0]), [None; 4], "a zero covers where nothing else does");
        assert_eq!(filed([1, 1, 0]), [None; 3], "at most two can only be one and one");
        assert_eq!(filed([2, 0]), [None, Some(0)], "one or two");
    }

    // The bound of another column must not tell what a sum does not: all five were answered.
    #[test]
    fn a_part_does_not_give_its_whole_away() {
        let rows = [row([1, 1, 0, 0, 0, 0, 0]), row([5, 5, 5, 5, 0, 0, 0])];
        let told = told(&rows);
        assert_eq!(told[0][..2], [None, None]);
        assert_eq!(told[1][..2], [None, None]);
        assert_eq!(given_away(&rows, &told), 0);
    }

    // The control: who hides nothing but the small numbers gives them away.
    #[test]
    fn without_a_cover_a_sum_gives_a_number_away() {
        let rows = [row([1, 0, 0, 0, 0, 0, 0]), row([9, 0, 0, 0, 0, 0, 0])];
        let bare = Table::of(rows.iter().map(Figures::numbers).collect()).told();
        assert_eq!(given_away(&rows, &bare), 1);
    }

    proptest! {
        #[test]
        fn no_hidden_number_can_be_computed(rows in rows()) {
            let told = told(&rows);
            prop_assert_eq!(given_away(&rows, &told), 0);
            for (row, told) in rows.iter().zip(&told) {
                for (number, told) in row.numbers().into_iter().zip(told) {
                    prop_assert!(told.is_none_or(|told| told == number));
                    prop_assert!(told.is_none() || number == 0 || number >= TOLD_MIN);
                }
            }
        }

        #[test]
        fn nothing_is_hidden_without_need(numbers in prop::collection::vec(3_i64..99, 1..7)) {
            let rows: Vec<_> = numbers.iter().map(|&number| row([number; COLUMNS])).collect();
            prop_assert!(told(&rows).iter().flatten().all(Option::is_some));
        }
    }
}
